//! Media types: whatever else a caller accepts, one that accepts everything gets an object, and
//! a watch is never answered in what cannot be streamed.

use fleetgate_apimachinery::{
    negotiation::{
        Format, Offer, Pretty, essence, input, negotiate, negotiate_discovery, negotiate_status,
        pretty,
    },
    patch::PatchType,
};

pub fn run(data: &[u8]) {
    let Ok(accept) = std::str::from_utf8(data) else {
        return;
    };
    let object = Offer::Object {
        version: "v1alpha1",
        kind: "Cluster",
    };
    let everything = format!("{accept},*/*");
    for indent in [Pretty::No, Pretty::Yes] {
        for offer in [object, Offer::Watch] {
            let met = negotiate(accept, indent, offer);
            if let (Ok(output), Offer::Watch) = (&met, offer) {
                assert_ne!(output.format, Format::Yaml);
            }
        }
        assert!(
            negotiate(&everything, indent, object).is_ok(),
            "{everything:?}"
        );
        assert!(
            negotiate_discovery(&everything, indent).is_ok(),
            "{everything:?}"
        );
        assert!(!negotiate_status(accept, indent).content_type().is_empty());
        let _ = negotiate_discovery(accept, indent);
    }
    let _ = pretty(Some(accept), accept);
    if let Ok(read) = input(accept) {
        assert_eq!(input(&essence(accept)), Ok(read));
    }
    if let Ok(kind) = PatchType::of(accept) {
        assert_eq!(PatchType::of(&essence(accept)), Ok(kind));
        assert!(input(accept).is_err());
    }
}

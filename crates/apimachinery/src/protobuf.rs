//! Protobuf on the wire: fields, and the envelope round Kubernetes' objects.

/// What every protobuf body of Kubernetes starts with.
const MAGIC: &[u8] = b"k8s\0";

/// The types of fields on the wire.
const VARINT: u32 = 0;
const DOUBLE: u32 = 1;
const BYTES: u32 = 2;

/// `message` in Kubernetes' envelope (`runtime.Unknown`), of type
/// `application/vnd.kubernetes.protobuf`.
pub(crate) fn envelope(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let mut type_meta = Vec::new();
    put_bytes(&mut type_meta, 1, api_version.as_bytes());
    put_bytes(&mut type_meta, 2, kind.as_bytes());
    let mut out = MAGIC.to_vec();
    put_bytes(&mut out, 1, &type_meta);
    put_bytes(&mut out, 2, message);
    put_bytes(&mut out, 3, &[]);
    put_bytes(&mut out, 4, &[]);
    out
}

/// A text, bytes or a message.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_varint(out, u64::from(field << 3 | BYTES));
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A number or a truth value.
pub(crate) fn put_number(out: &mut Vec<u8>, field: u32, number: impl Into<u64>) {
    put_varint(out, u64::from(field << 3 | VARINT));
    put_varint(out, number.into());
}

/// A number that may have a fraction.
pub(crate) fn put_double(out: &mut Vec<u8>, field: u32, number: f64) {
    put_varint(out, u64::from(field << 3 | DOUBLE));
    out.extend(number.to_le_bytes());
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

//! What Go 1.26's `url.Parse` gave for the same strings.

use super::GoUrl;

#[track_caller]
fn check(url: &str, scheme: &str, host: &str) -> GoUrl {
    let parsed = GoUrl::parse(url).expect(url);
    assert_eq!(
        (parsed.scheme.as_str(), parsed.host.as_str()),
        (scheme, host),
        "{url}"
    );
    parsed
}

#[track_caller]
fn refused(url: &str, cause: &str) {
    let error = GoUrl::parse(url).expect_err(url).to_string();
    let (_, got) = error.split_once("\": ").expect("parse \"URL\": CAUSE");
    assert_eq!(got, cause, "{url}");
}

#[test]
fn urls_are_taken_apart_as_go_does() {
    check("foo", "", "");
    check("foo:6443", "foo", "");
    check("https://h", "https", "h");
    check("https://h:6443/path", "https", "h:6443");
    check("HTTP://h", "http", "h");
    check("https://h?", "https", "h");
    check("https://h%c3%a4", "https", "hä");
    check("https://hä/", "https", "hä");
    check("ftp://h:64:43", "ftp", "h:64:43");
    check("https://[::1]:6443", "https", "[::1]:6443");
    check("https://[fe80::1%25en0]", "https", "[fe80::1%en0]");
    check("https://[::1.2.3.4]", "https", "[::1.2.3.4]");
    check("https://[::]", "https", "[::]");
    check("https://[::1%25a%20b]", "https", "[::1%a b]");
    check("https://[::1%25a%41]", "https", "[::1%aA]");
    check("https:///path", "https", "");
    check("https:/path", "https", "");
    check("https:opaque", "https", "");
    check("///a", "", "");
    check("//h/p", "", "h");
    check("/a:b", "", "");
    check("a/b:c", "", "");
    check("a:b", "a", "");
    check("*", "", "");
    check("", "", "");
    check("http://h\"", "http", "h\"");
    check("http://h<>", "http", "h<>");
    check("h-t.t+p://x", "h-t.t+p", "x");
    check("https://h:", "https", "h:");
    check("socks5://p:1080", "socks5", "p:1080");
    check("https://h/é", "https", "h");
}

#[track_caller]
fn check_rest(url: &str, user: Option<&str>, query: &str, fragment: &str) {
    let parsed = GoUrl::parse(url).expect(url);
    assert_eq!(parsed.user.as_deref(), user, "{url}");
    assert_eq!(
        (parsed.query.as_str(), parsed.fragment.as_str()),
        (query, fragment),
        "{url}"
    );
}

#[test]
fn users_queries_and_fragments_are_found() {
    check_rest("https://u:p@h", Some("u:p"), "", "");
    check_rest("https://u@h", Some("u"), "", "");
    check_rest("https://@h", Some(""), "", "");
    check_rest("https://u:p:q@h", Some("u:p%3Aq"), "", "");
    check_rest("https://a%20b@h", Some("a%20b"), "", "");
    check_rest("https://h?a=b", None, "a=b", "");
    check_rest("https://h/#f", None, "", "f");
    check_rest("https://h#a%20b", None, "", "a b");
    check_rest("https://h/a?b#c?d", None, "b", "c?d");
    check_rest("https://u:p@ss@h", Some("u:p%40ss"), "", "");
    check_rest("http://a@b@c", Some("a%40b"), "", "");
    check_rest("http://h?\u{2028}", None, "\u{2028}", "");
}

const BAD_ADDRESSES: &[(&str, &str)] = &[
    ("https://x[::1]", "invalid IP-literal"),
    ("https://[1.2.3.4]", "invalid IP-literal"),
    (
        "https://[fe80::1%25]",
        "invalid host: ParseAddr(\"fe80::1%\"): zone must be a non-empty string",
    ),
    (
        "https://[xyz]",
        "invalid host: ParseAddr(\"xyz\"): unable to parse IP",
    ),
    (
        "https://[::12345]",
        "invalid host: ParseAddr(\"::12345\"): each group must have 4 or less digits (at \"12345\")",
    ),
    (
        "https://[1:2:3:4:5:6:7]",
        "invalid host: ParseAddr(\"1:2:3:4:5:6:7\"): address string too short",
    ),
    (
        "https://[1:2:3:4:5:6:7:8:9]",
        "invalid host: ParseAddr(\"1:2:3:4:5:6:7:8:9\"): trailing garbage after address (at \"9\")",
    ),
    (
        "https://[::1::2]",
        "invalid host: ParseAddr(\"::1::2\"): multiple :: in address (at \":2\")",
    ),
    (
        "https://[1:2:3:4:5:6:7::8]",
        "invalid host: ParseAddr(\"1:2:3:4:5:6:7::8\"): the :: must expand to at least one field of zeros",
    ),
    (
        "https://[::1.2.3.400]",
        "invalid host: ParseAddr(\"::1.2.3.400\"): IPv4 field has value >255",
    ),
    (
        "https://[1:]",
        "invalid host: ParseAddr(\"1:\"): colon must be followed by more characters (at \":\")",
    ),
    (
        "https://[:1]",
        "invalid host: ParseAddr(\":1\"): each colon-separated field must have at least one digit (at \":1\")",
    ),
    (
        "https://[]",
        "invalid host: ParseAddr(\"\"): unable to parse IP",
    ),
    (
        "https://[::g]",
        "invalid host: ParseAddr(\"::g\"): each colon-separated field must have at least one digit (at \"g\")",
    ),
    (
        "https://[%25en0]",
        "invalid host: ParseAddr(\"%en0\"): missing IPv6 address",
    ),
    (
        "https://[1.2.3]",
        "invalid host: ParseAddr(\"1.2.3\"): IPv4 address too short",
    ),
    (
        "https://[1.2.3.4.5]",
        "invalid host: ParseAddr(\"1.2.3.4.5\"): IPv4 address too long",
    ),
    (
        "https://[01.2.3.4]",
        "invalid host: ParseAddr(\"01.2.3.4\"): IPv4 field has octet with leading zero",
    ),
    (
        "https://[1..2.3]",
        "invalid host: ParseAddr(\"1..2.3\"): IPv4 field must have at least one digit (at \".2.3\")",
    ),
    (
        "https://[1:2:3:4:5:6:7:1.2.3.4]",
        "invalid host: ParseAddr(\"1:2:3:4:5:6:7:1.2.3.4\"): embedded IPv4 address must replace the final 2 fields of the address (at \"1.2.3.4\")",
    ),
    (
        "https://[1:1.2.3.4]",
        "invalid host: ParseAddr(\"1:1.2.3.4\"): embedded IPv4 address must replace the final 2 fields of the address (at \"1.2.3.4\")",
    ),
];

const BAD_HOSTS: &[(&str, &str)] = &[
    ("https://a%2@h", "invalid URL escape \"%2\""),
    ("https://h#%zz", "invalid URL escape \"%zz\""),
    ("https://h/%zz", "invalid URL escape \"%zz\""),
    ("https://h/%2", "invalid URL escape \"%2\""),
    ("https://h%20x", "invalid URL escape \"%20\""),
    ("https://h%41", "invalid URL escape \"%41\""),
    ("https://a b", "invalid character \" \" in host name"),
    ("https://a|b", "invalid character \"|\" in host name"),
    ("https://h:port", "invalid port \":port\" after host"),
    ("https://h:64:43", "invalid port \":64:43\" after host"),
    ("https://[::1", "missing ']' in host"),
    ("https://[::1]x", "invalid port \"x\" after host"),
    ("https://[fe80::1%en0]", "invalid URL escape \"%en\""),
    ("https://[::1%25a%00]", "invalid URL escape \"%00\""),
    ("https://[::1%25a%ff]", "invalid URL escape \"%ff\""),
    ("http://h\\x", "invalid character \"\\\\\" in host name"),
    ("http://h^", "invalid character \"^\" in host name"),
    ("https://%", "invalid URL escape \"%\""),
    ("https://h:%31", "invalid port \":%31\" after host"),
    ("http://[::1]%20", "invalid port \"%20\" after host"),
    ("http://[::1]:8%30", "invalid port \":8%30\" after host"),
    ("http://a:b:c", "invalid port \":b:c\" after host"),
];

const BAD_REST: &[(&str, &str)] = &[
    (
        "10.0.0.1:6443",
        "first path segment in URL cannot contain colon",
    ),
    ("://x", "missing protocol scheme"),
    (":foo", "missing protocol scheme"),
    ("https://a b@h", "net/url: invalid userinfo"),
    ("http://h\0", "net/url: invalid control character in URL"),
    ("http://h\n", "net/url: invalid control character in URL"),
    (
        "http://h/\u{7f}",
        "net/url: invalid control character in URL",
    ),
    (
        "1http://x",
        "first path segment in URL cannot contain colon",
    ),
    ("hä://x", "first path segment in URL cannot contain colon"),
    ("http://ü@h", "net/url: invalid userinfo"),
];

#[test]
fn bad_addresses_in_brackets_are_refused_in_gos_words() {
    for (url, cause) in BAD_ADDRESSES {
        refused(url, cause);
    }
}

#[test]
fn bad_hosts_ports_and_escapes_are_refused_in_gos_words() {
    for (url, cause) in BAD_HOSTS {
        refused(url, cause);
    }
}

#[test]
fn other_bad_urls_are_refused_in_gos_words() {
    for (url, cause) in BAD_REST {
        refused(url, cause);
    }
}

#[test]
fn the_refused_url_is_quoted() {
    let error = GoUrl::parse("http://h\u{7f}\n\"\\").expect_err("control characters");
    let want = r#"parse "http://h\x7f\n\"\\": net/url: invalid control character in URL"#;
    assert_eq!(error.to_string(), want);
    let error = GoUrl::parse("https://h%€").expect_err("a split character");
    assert_eq!(
        error.to_string(),
        r#"parse "https://h%€": invalid URL escape "%\xe2\x82""#
    );
}

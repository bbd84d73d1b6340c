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

#[test]
fn what_is_no_url_is_refused_in_gos_words() {
    refused(
        "10.0.0.1:6443",
        "first path segment in URL cannot contain colon",
    );
    refused("://x", "missing protocol scheme");
    refused(":foo", "missing protocol scheme");
    refused("https://a b@h", "net/url: invalid userinfo");
    refused("https://a%2@h", "invalid URL escape \"%2\"");
    refused("https://h#%zz", "invalid URL escape \"%zz\"");
    refused("https://h/%zz", "invalid URL escape \"%zz\"");
    refused("https://h/%2", "invalid URL escape \"%2\"");
    refused("https://h%20x", "invalid URL escape \"%20\"");
    refused("https://h%41", "invalid URL escape \"%41\"");
    refused("https://a b", "invalid character \" \" in host name");
    refused("https://a|b", "invalid character \"|\" in host name");
    refused("https://h:port", "invalid port \":port\" after host");
    refused("https://h:64:43", "invalid port \":64:43\" after host");
    refused("https://[::1", "missing ']' in host");
    refused("https://[::1]x", "invalid port \"x\" after host");
    refused("https://x[::1]", "invalid IP-literal");
    refused("https://[1.2.3.4]", "invalid IP-literal");
    refused(
        "https://[fe80::1%25]",
        "invalid host: ParseAddr(\"fe80::1%\"): zone must be a non-empty string",
    );
    refused("https://[fe80::1%en0]", "invalid URL escape \"%en\"");
    refused(
        "https://[xyz]",
        "invalid host: ParseAddr(\"xyz\"): unable to parse IP",
    );
    refused(
        "https://[::12345]",
        "invalid host: ParseAddr(\"::12345\"): each group must have 4 or less digits (at \"12345\")",
    );
    refused(
        "https://[1:2:3:4:5:6:7]",
        "invalid host: ParseAddr(\"1:2:3:4:5:6:7\"): address string too short",
    );
    refused(
        "https://[1:2:3:4:5:6:7:8:9]",
        "invalid host: ParseAddr(\"1:2:3:4:5:6:7:8:9\"): trailing garbage after address (at \"9\")",
    );
    refused(
        "https://[::1::2]",
        "invalid host: ParseAddr(\"::1::2\"): multiple :: in address (at \":2\")",
    );
    refused(
        "https://[1:2:3:4:5:6:7::8]",
        "invalid host: ParseAddr(\"1:2:3:4:5:6:7::8\"): the :: must expand to at least one field of zeros",
    );
    refused(
        "https://[::1.2.3.400]",
        "invalid host: ParseAddr(\"::1.2.3.400\"): IPv4 field has value >255",
    );
    refused(
        "https://[1:]",
        "invalid host: ParseAddr(\"1:\"): colon must be followed by more characters (at \":\")",
    );
    refused(
        "https://[:1]",
        "invalid host: ParseAddr(\":1\"): each colon-separated field must have at least one digit (at \":1\")",
    );
    refused(
        "https://[]",
        "invalid host: ParseAddr(\"\"): unable to parse IP",
    );
    refused(
        "https://[::g]",
        "invalid host: ParseAddr(\"::g\"): each colon-separated field must have at least one digit (at \"g\")",
    );
    refused(
        "https://[%25en0]",
        "invalid host: ParseAddr(\"%en0\"): missing IPv6 address",
    );
    refused(
        "https://[1.2.3]",
        "invalid host: ParseAddr(\"1.2.3\"): IPv4 address too short",
    );
    refused(
        "https://[1.2.3.4.5]",
        "invalid host: ParseAddr(\"1.2.3.4.5\"): IPv4 address too long",
    );
    refused(
        "https://[01.2.3.4]",
        "invalid host: ParseAddr(\"01.2.3.4\"): IPv4 field has octet with leading zero",
    );
    refused(
        "https://[1..2.3]",
        "invalid host: ParseAddr(\"1..2.3\"): IPv4 field must have at least one digit (at \".2.3\")",
    );
    refused(
        "https://[1:2:3:4:5:6:7:1.2.3.4]",
        "invalid host: ParseAddr(\"1:2:3:4:5:6:7:1.2.3.4\"): embedded IPv4 address must replace the final 2 fields of the address (at \"1.2.3.4\")",
    );
    refused(
        "https://[1:1.2.3.4]",
        "invalid host: ParseAddr(\"1:1.2.3.4\"): embedded IPv4 address must replace the final 2 fields of the address (at \"1.2.3.4\")",
    );
    refused("https://[::1%25a%00]", "invalid URL escape \"%00\"");
    refused("https://[::1%25a%ff]", "invalid URL escape \"%ff\"");
    refused("http://h\0", "net/url: invalid control character in URL");
    refused("http://h\n", "net/url: invalid control character in URL");
    refused(
        "http://h/\u{7f}",
        "net/url: invalid control character in URL",
    );
    refused("http://h\\x", "invalid character \"\\\\\" in host name");
    refused("http://h^", "invalid character \"^\" in host name");
    refused(
        "1http://x",
        "first path segment in URL cannot contain colon",
    );
    refused("hä://x", "first path segment in URL cannot contain colon");
    refused("https://%", "invalid URL escape \"%\"");
    refused("https://h:%31", "invalid port \":%31\" after host");
    refused("http://ü@h", "net/url: invalid userinfo");
    refused("http://[::1]%20", "invalid port \"%20\" after host");
    refused("http://[::1]:8%30", "invalid port \":8%30\" after host");
    refused("http://a:b:c", "invalid port \":b:c\" after host");
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

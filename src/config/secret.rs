//! What must not be shown: the password in a URL.

/// What stands in place of a password, as in other tools of the field.
const HIDDEN: &str = "xxxxx";

/// The text without the password of the URLs in it.
pub(super) fn without_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(['/', '?', '#', '"', '\'', ' ', ',']).unwrap_or(after.len());
        // The last one: what is before it belongs to the password.
        let authority = after[..end].rsplit_once('@').and_then(|(login, host)| {
            let (user, _password) = login.split_once(':')?;
            Some(format!("{user}:{HIDDEN}@{host}"))
        });
        shown.push_str(authority.as_deref().unwrap_or(&after[..end]));
        rest = &after[end..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_is_hidden() {
        for (text, shown) in [
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            (
                "https://me:s3cret@proxy.example:8443/a?b=c",
                "https://me:xxxxx@proxy.example:8443/a?b=c",
            ),
            ("https://me:a@b:c@proxy.example", "https://me:xxxxx@proxy.example"),
            ("https://me@proxy.example/x:y@z", "https://me@proxy.example/x:y@z"),
            (
                "found \"ftp://me:s3cret@x\", allowed: http://…",
                "found \"ftp://me:xxxxx@x\", allowed: http://…",
            ),
            ("a: b@c", "a: b@c"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}

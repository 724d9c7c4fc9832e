//! What the pages share: the frame, the style, and escaping.

use std::fmt::{self, Display, Write as _};

use super::{Standing, standing_words};
use crate::model::decision::Report;
use crate::model::ids::VariantId;
use crate::model::units::human;

const STYLE: &str = include_str!("style.css");

/// Text that may come from anywhere, made harmless in element content and quoted attributes.
pub(super) struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() && c != '\n' => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A whole page. It needs nothing from elsewhere: no script, no font, no image.
pub(super) fn page(title: &str, header: &str, main: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>{header}</header>\n<main>\n{main}</main>\n</body>\n</html>\n",
        Escaped(title)
    )
}

/// The address of a variant's page. Names need no escaping: AWS allows letters, digits, hyphens.
pub(super) fn variant_href(id: &VariantId) -> String {
    format!(
        "/variants/{}/{}?account_id={}&amp;region={}",
        id.endpoint, id.variant, id.account_id, id.region
    )
}

/// The badges of both axes, the worse one first.
pub(super) fn badges(report: &Report) -> String {
    let badge = |class: &str, words: &str| format!("<span class=\"badge {class}\">{words}</span>");
    let safety = report.safety.state;
    let class = if safety.is_unsafe() { "unsafe" } else { safety.as_str() };
    let standing = Standing::of(report);
    // What is unsafe is not as green as what is in sync.
    let quiet = report.is_unsafe() && standing == Standing::InSync;
    let standing_class = if quiet { "unmanaged" } else { standing.as_str() };
    let mut both = [badge(standing_class, standing_words(report)), badge(class, safety.words())];
    if report.is_unsafe() {
        both.reverse();
    }
    both.join(" ")
}

/// A number, or a dash where there is none.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| {
        // Two decimals are enough to look at; the API has them all.
        human((value * 100.0).round() / 100.0)
    })
}

/// A count, or a dash where it is not known.
pub(super) fn count<T: Display>(value: Option<T>) -> String {
    value.map_or_else(dash, |value| value.to_string())
}

fn dash() -> String {
    "\u{2013}".to_owned()
}

//! A little plotting: scales, axes and shapes as SVG, in two sizes so that labels can be read on a
//! phone too. The pages and the report of a replay draw with it.

mod scale;

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

pub use scale::{Scale, thousands};

/// The paper of a plot, in SVG units; the browser scales it to the width there is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// About so many ticks along x, and along y.
    ticks: (usize, usize),
    class: &'static str,
}

const fn wide(height: f64) -> Frame {
    let (left, right, top, bottom) = (78.0, 22.0, 18.0, 46.0);
    Frame { width: 960.0, height, left, right, top, bottom, ticks: (7, 7), class: "plot wide" }
}

const fn narrow(height: f64) -> Frame {
    let (left, right, top, bottom) = (50.0, 10.0, 16.0, 42.0);
    Frame { width: 400.0, height, left, right, top, bottom, ticks: (4, 5), class: "plot narrow" }
}

/// Draws for a wide screen and for a phone; the style shows one of them.
pub fn both(height: f64, draw: impl Fn(Frame) -> Markup) -> Markup {
    html! { (draw(wide(height))) (draw(narrow(height.min(300.0)))) }
}

/// One plot being drawn.
pub struct Plot {
    x: Scale,
    y: Scale,
    frame: Frame,
    body: String,
}

impl Plot {
    /// An empty plot.
    pub const fn new(frame: Frame, x: Scale, y: Scale) -> Self {
        Self { x, y, frame, body: String::new() }
    }

    fn px(&self, x: f64) -> f64 {
        let Frame { width, left, right, .. } = self.frame;
        left + self.x.share(x) * (width - left - right)
    }

    fn py(&self, y: f64) -> f64 {
        let Frame { height, top, bottom, .. } = self.frame;
        height - bottom - self.y.share(y) * (height - bottom - top)
    }

    fn floor(&self) -> f64 {
        self.frame.height - self.frame.bottom
    }

    /// Filled rectangles between values, of one class and shade.
    pub fn rects(
        &mut self,
        class: &str,
        opacity: f64,
        all: impl IntoIterator<Item = ((f64, f64), (f64, f64))>,
    ) {
        let mut path = String::new();
        for (x, y) in all {
            let (left, right, top, bottom) =
                (self.px(x.0), self.px(x.1), self.py(y.1), self.py(y.0));
            let (width, height) = ((right - left).max(0.8), (bottom - top).max(0.8));
            let _ = write!(path, "M{left:.1} {top:.1}h{width:.1}v{height:.1}h-{width:.1}z");
        }
        self.path("area", class, &path, &format!(" fill-opacity=\"{opacity:.2}\""), "");
    }

    /// Dots of one class, one for each point.
    pub fn dots(&mut self, class: &str, all: impl IntoIterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (x, y) in all {
            let _ = write!(path, "M{:.1} {:.1}h0", self.px(x), self.py(y));
        }
        self.path("dots", class, &path, "", "");
    }

    /// A line through points that holds each value until the next; gaps where a value is missing.
    pub fn steps(&mut self, class: &str, points: &[(f64, Option<f64>)], title: &str) {
        let mut path = String::new();
        let mut drawing = false;
        for (x, y) in points {
            let x = self.px(*x);
            match (y.map(|y| self.py(y)), drawing) {
                (Some(y), false) => {
                    let _ = write!(path, "M{x:.1} {y:.1}");
                }
                (Some(y), true) => {
                    let _ = write!(path, "H{x:.1}V{y:.1}");
                }
                (None, true) => {
                    let _ = write!(path, "H{x:.1}");
                }
                (None, false) => {}
            }
            drawing = y.is_some();
        }
        self.path("line", class, &path, "", title);
    }

    fn path(&mut self, kind: &str, class: &str, path: &str, attributes: &str, title: &str) {
        if path.is_empty() {
            return;
        }
        let _ = write!(self.body, "<path class=\"{kind} {class}\" d=\"{path}\"{attributes}>");
        if !title.is_empty() {
            let _ = write!(self.body, "<title>{}</title>", escaped(title));
        }
        self.body.push_str("</path>");
    }

    /// A band over all of the other axis.
    pub fn vertical_band(&mut self, from: f64, to: f64, class: &str) {
        let (top, floor) = (self.frame.top, self.floor());
        let (left, right) = (self.px(from), self.px(to));
        let _ = write!(
            self.body,
            "<rect class=\"area {class}\" x=\"{left:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            (right - left).max(0.8),
            floor - top
        );
    }

    /// A line from top to bottom; none where the value lies outside.
    pub fn vertical_line(&mut self, at: f64, class: &str, title: &str) {
        if self.x.holds(at) {
            let (x, top, floor) = (self.px(at), self.frame.top, self.floor());
            let path = format!("M{x:.1} {top}V{floor}");
            self.path("line", class, &path, "", title);
        }
    }

    /// A level line from side to side with its label; none where the value lies outside.
    pub fn horizontal_line(&mut self, at: f64, class: &str, label: &str) {
        if self.y.holds(at) {
            let (left, right) = (self.frame.left, self.frame.width - self.frame.right);
            let y = self.py(at);
            let path = format!("M{left} {y:.1}H{right}");
            self.path("line", class, &path, "", label);
            let _ = write!(
                self.body,
                "<text class=\"label {class}\" x=\"{}\" y=\"{:.1}\" text-anchor=\"start\">{}</text>",
                left + 6.0,
                y - 5.0,
                escaped(label)
            );
        }
    }

    /// Something that happened: a sign on the axis, below all lines, and a hair up from it.
    pub fn mark(&mut self, at: f64, class: &str, title: &str) {
        if self.x.holds(at) {
            let (x, top, floor) = (self.px(at), self.frame.top, self.floor());
            let _ = write!(
                self.body,
                "<g class=\"mark {class}\"><title>{}</title><path class=\"hair\" d=\"M{x:.1} {top}V{floor}\"/>\
                 <path class=\"sign\" d=\"M{x:.1} {:.1}l-5 9h10z\"/></g>",
                escaped(title),
                floor + 1.0
            );
        }
    }

    /// The finished plot, described by `says`. `x_ticks` replaces the round numbers of the x axis.
    pub fn finish(
        self,
        says: &str,
        (x_title, y_title): (&str, &str),
        x_ticks: Option<&[(f64, String)]>,
    ) -> Markup {
        let Frame { width, height, left, right, top, class, .. } = self.frame;
        let floor = self.floor();
        let mut axes = String::new();
        for (at, label) in self.x_ticks(x_ticks) {
            let x = self.px(at);
            let _ = write!(
                axes,
                "<path class=\"grid\" d=\"M{x:.1} {top}V{floor}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                floor + 22.0,
                escaped(&label)
            );
        }
        for at in self.y.ticks(self.frame.ticks.1) {
            let y = self.py(at);
            let _ = write!(
                axes,
                "<path class=\"grid\" d=\"M{left} {y:.1}H{}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                width - right,
                left - 8.0,
                y + 4.0,
                thousands(at)
            );
        }
        let (middle, centre) = (left + (width - left - right) / 2.0, f64::midpoint(top, floor));
        // On a phone there is no room beside the axis.
        let y_axis = if class == "plot narrow" {
            format!("<text class=\"axis\" x=\"{left}\" y=\"11\">{}</text>", escaped(y_title))
        } else {
            format!(
                "<text class=\"axis\" x=\"16\" y=\"{centre}\" text-anchor=\"middle\" \
                 transform=\"rotate(-90 16 {centre})\">{}</text>",
                escaped(y_title)
            )
        };
        PreEscaped(format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">{axes}{}\
             <text class=\"axis\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>{y_axis}</svg>",
            escaped(says),
            self.body,
            height - 5.0,
            escaped(x_title),
        ))
    }

    /// As many of the ticks as there is room for.
    fn x_ticks(&self, given: Option<&[(f64, String)]>) -> Vec<(f64, String)> {
        let most = self.frame.ticks.0;
        let Some(given) = given else {
            let ticks = self.x.ticks(most).into_iter();
            return ticks.map(|tick| (tick, thousands(tick))).collect();
        };
        let every = given.len().div_ceil(most).max(1);
        given.iter().step_by(every).cloned().collect()
    }
}

/// The key of a plot: a swatch of each class and what it stands for.
pub fn legend(keys: &[(&str, &str)]) -> Markup {
    html! {
        p.legend {
            @for (class, words) in keys {
                span.key { i class={ "k " (class) } {} (words) }
                " "
            }
        }
    }
}

fn escaped(text: &str) -> String {
    html! { (super::printable(text)) }.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_markup() {
        let mut plot = Plot::new(wide(300.0), Scale::linear(0.0, 1.0), Scale::linear(0.0, 1.0));
        let text = "</svg><script>\u{1b}";
        plot.horizontal_line(0.5, "objective", text);
        plot.vertical_line(0.5, "safe", text);
        plot.mark(0.5, "write", text);
        plot.steps("safe", &[(0.0, Some(0.5)), (1.0, Some(0.5))], text);
        let ticks = [(0.5, text.to_owned())];
        let svg = plot.finish(text, (text, text), Some(&ticks)).into_string();
        assert_eq!(svg.matches("</svg>").count(), 1, "{svg}");
        assert!(!svg.contains("<script") && !svg.contains('\u{1b}'), "{svg}");
    }

    #[test]
    fn what_is_not_there_is_not_drawn() {
        let mut plot = Plot::new(wide(300.0), Scale::linear(0.0, 1.0), Scale::linear(0.0, 1.0));
        plot.steps("safe", &[(0.0, None), (1.0, None)], "");
        plot.dots("good", []);
        plot.rects("peak", 1.0, []);
        plot.vertical_line(2.0, "safe", "");
        plot.mark(-1.0, "write", "");
        assert_eq!(plot.body, "");
    }

    #[test]
    fn a_phone_gets_fewer_labels() {
        let draw = |frame| {
            let plot = Plot::new(frame, Scale::linear(0.0, 700.0), Scale::linear(0.0, 1.0));
            let days: Vec<(f64, String)> =
                (0..14).map(|day| (f64::from(day) * 50.0, format!("Nov {day}"))).collect();
            plot.finish("", ("", ""), Some(&days)).into_string().matches("Nov").count()
        };
        assert!(draw(wide(300.0)) > 4 && draw(narrow(300.0)) <= 4);
    }
}

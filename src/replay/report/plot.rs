//! A little plotting: scales, axes and shapes as SVG text.

use std::fmt::Write as _;

/// Width of every plot in SVG units; the browser scales it.
pub(super) const WIDTH: f64 = 960.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 46.0;

/// How values become positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    /// From 0 (or the given low end) to a bit above `high`.
    pub(super) fn linear(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, logarithmic: false }
    }

    /// Whole decades are not forced: the data fills the plot.
    pub(super) fn logarithmic(low: f64, high: f64) -> Self {
        let low = low.max(1e-6);
        let high = if high > low * 1.05 { high } else { low * 10.0 };
        Self { low: low.ln(), high: high.ln(), logarithmic: true }
    }

    /// The position of a value between 0 and 1, cut at the ends.
    fn share(self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(1e-9).ln() } else { value };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Whether a value lies within.
    fn holds(self, value: f64) -> bool {
        let value = if self.logarithmic { value.max(1e-9).ln() } else { value };
        value >= self.low - 1e-9 && value <= self.high + 1e-9
    }

    /// Round numbers along the scale.
    fn ticks(self) -> Vec<f64> {
        if self.logarithmic {
            let decades =
                (self.low.exp().log10().floor() as i32)..=(self.high.exp().log10().ceil() as i32);
            let ticks = decades.flat_map(|d| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(d)));
            return ticks.filter(|t| self.holds(*t)).collect();
        }
        let raw = (self.high - self.low) / 6.0;
        let magnitude = 10_f64.powf(raw.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * magnitude).into_iter().find(|s| *s >= raw);
        let step = step.unwrap_or(raw).max(f64::MIN_POSITIVE);
        let first = (self.low / step).ceil();
        (0..12).map(|i| (first + f64::from(i)) * step).filter(|t| self.holds(*t)).collect()
    }
}

/// One plot being drawn.
pub(super) struct Plot {
    x: Scale,
    y: Scale,
    height: f64,
    body: String,
}

impl Plot {
    pub(super) const fn new(x: Scale, y: Scale, height: f64) -> Self {
        Self { x, y, height, body: String::new() }
    }

    fn px(&self, x: f64) -> f64 {
        LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT)
    }

    fn py(&self, y: f64) -> f64 {
        self.height - BOTTOM - self.y.share(y) * (self.height - BOTTOM - TOP)
    }

    /// A filled rectangle between values.
    pub(super) fn rect(
        &mut self,
        x: (f64, f64),
        y: (f64, f64),
        class: &str,
        opacity: f64,
        title: &str,
    ) {
        let (left, right) = (self.px(x.0), self.px(x.1));
        let (top, bottom) = (self.py(y.1), self.py(y.0));
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
             fill-opacity=\"{opacity:.2}\"><title>{}</title></rect>",
            (right - left).max(0.8),
            (bottom - top).max(0.8),
            escape(title)
        );
    }

    /// A band over all of the other axis.
    pub(super) fn vertical_band(&mut self, from: f64, to: f64, class: &str) {
        let (left, right) = (self.px(from), self.px(to));
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            (right - left).max(0.8),
            self.height - TOP - BOTTOM
        );
    }

    /// A line across, with a label at its top.
    pub(super) fn vertical_line(&mut self, at: f64, class: &str) {
        if self.x.holds(at) {
            let x = self.px(at);
            let bottom = self.height - BOTTOM;
            let _ = write!(
                self.body,
                "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>"
            );
        }
    }

    /// A level line from side to side with its label.
    pub(super) fn horizontal_line(&mut self, at: f64, class: &str, label: &str) {
        if self.y.holds(at) {
            let (y, right) = (self.py(at), WIDTH - RIGHT);
            let _ = write!(
                self.body,
                "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text class=\"label\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                right - 4.0,
                y - 5.0,
                escape(label)
            );
        }
    }

    /// A line through points that holds each value until the next; gaps where a value is missing.
    pub(super) fn steps(&mut self, points: &[(f64, Option<f64>)], class: &str) {
        let mut path = String::new();
        let mut pen: Option<f64> = None;
        for (x, y) in points {
            let x = self.px(*x);
            match (y, pen) {
                (Some(y), None) => {
                    let y = self.py(*y);
                    let _ = write!(path, "M{x:.1} {y:.1}");
                    pen = Some(y);
                }
                (Some(y), Some(_)) => {
                    let y = self.py(*y);
                    let _ = write!(path, "H{x:.1}V{y:.1}");
                    pen = Some(y);
                }
                (None, Some(_)) => {
                    let _ = write!(path, "H{x:.1}");
                    pen = None;
                }
                (None, None) => {}
            }
        }
        let _ = write!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    /// A dot.
    pub(super) fn dot(&mut self, x: f64, y: f64, class: &str, title: &str) {
        let (x, y) = (self.px(x), self.py(y));
        let title = escape(title);
        let _ = write!(
            self.body,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"><title>{title}</title></circle>"
        );
    }

    /// The finished plot. `x_ticks` replaces the round numbers of the x axis.
    pub(super) fn finish(
        self,
        (x_title, y_title): (&str, &str),
        x_ticks: Option<Vec<(f64, String)>>,
    ) -> String {
        let bottom = self.height - BOTTOM;
        let x_ticks = x_ticks
            .unwrap_or_else(|| self.x.ticks().into_iter().map(|t| (t, thousands(t))).collect());
        let mut axes = String::new();
        for (at, label) in x_ticks {
            let x = self.px(at);
            let _ = write!(
                axes,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 18.0,
                escape(&label)
            );
        }
        for at in self.y.ticks() {
            let y = self.py(at);
            let _ = write!(
                axes,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
                thousands(at)
            );
        }
        let (middle, centre) = (LEFT + (WIDTH - LEFT - RIGHT) / 2.0, f64::midpoint(TOP, bottom));
        let height = self.height;
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{y} against {x}\">{axes}{body}\
             <text class=\"axis\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{x}</text>\
             <text class=\"axis\" x=\"16\" y=\"{centre}\" text-anchor=\"middle\" \
             transform=\"rotate(-90 16 {centre})\">{y}</text></svg>",
            height - 6.0,
            x = escape(x_title),
            y = escape(y_title),
            body = self.body,
        )
    }
}

/// A number with thousands separators.
pub(super) fn thousands(v: f64) -> String {
    if v.abs() < 10.0 && v.fract().abs() > 1e-9 {
        return format!("{}", (v * 1000.0).round() / 1000.0);
    }
    let digits = format!("{:.0}", v.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if v < 0.0 { format!("-{text}") } else { text }
}

/// Text as it may stand in HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_text_are_readable_and_safe() {
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(0.25), "0.25");
        assert_eq!(escape("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
    }

    #[test]
    fn scales_survive_any_range() {
        for scale in [
            Scale::linear(0.0, 0.0),
            Scale::linear(0.0, 1e300),
            Scale::logarithmic(0.0, 0.0),
            Scale::logarithmic(1e-9, 1e12),
        ] {
            assert!(scale.ticks().len() < 100);
            assert!((0.0..=1.0).contains(&scale.share(5.0)));
        }
    }
}

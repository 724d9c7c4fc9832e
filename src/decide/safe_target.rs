//! stand-in
use crate::model::{estimate::Estimate, goal::Goal};
pub fn safe_target(_: &Estimate, _: &Goal, _: Option<f64>) -> Option<f64> {
    None
}
pub fn wanted(_: &Estimate, _: &Goal, _: Option<f64>, _: Option<f64>) -> Option<f64> {
    None
}

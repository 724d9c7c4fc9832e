//! Between a look and a write: what is done when the world has changed since, a step has failed,
//! a read hangs, or setpoint itself breaks. Each test fails without the guard that it is about.

mod broken;
mod daemon;
mod hanging;
mod late;
mod look;
mod review;
mod shared;
mod stage;
mod undescribed;
mod unmeasured;

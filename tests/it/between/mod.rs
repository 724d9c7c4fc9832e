//! Between a look and a write: what is done when the world has changed since, a step has failed,
//! a read hangs, or setpoint itself breaks. Each test fails without the guard that it is about.

mod broken;
mod daemon;
mod hanging;
mod late;
mod look;
mod rows;
mod shared;
mod slow;
mod stage;
mod turns;
mod undescribed;
mod unmeasured;

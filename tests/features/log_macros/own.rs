//! Macros of a file of their own. The attributes do not see them, because they read only the file
//! of the function.

macro_rules! event {
    ($list:ident, $event:expr) => {
        $list.push($event)
    };
}

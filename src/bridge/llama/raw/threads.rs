//! The threads that compute for one context.
//!
//! Without a pool the kernel starts and ends its threads with each computation.

use std::ffi::CStr;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

type New = unsafe extern "C" fn(*mut sys::ggml_threadpool_params) -> sys::ggml_threadpool_t;
type Free = unsafe extern "C" fn(sys::ggml_threadpool_t);

/// A pool of threads, attached to one context; must outlive it.
#[derive(Debug)]
pub(super) struct Threads {
    pool: NonNull<sys::ggml_threadpool>,
    free: Free,
}

impl Threads {
    /// `None` for a single thread, and where the kernel has no pools: it then helps itself.
    pub(super) fn attach(context: NonNull<sys::llama_context>, count: usize) -> Option<Self> {
        let count = i32::try_from(count).ok().filter(|count| *count > 1)?;
        // The names of the CPU kernels are local to their variant; this is how they are reached.
        // SAFETY: the functions of these names have these types (ggml-cpu.h).
        let (new, free) = unsafe {
            (
                std::mem::transmute::<NonNull<()>, New>(find(c"ggml_threadpool_new")?),
                std::mem::transmute::<NonNull<()>, Free>(find(c"ggml_threadpool_free")?),
            )
        };
        // SAFETY: plain values; the context is valid, and `self` outlives it (field order).
        unsafe {
            let mut parameters = sys::ggml_threadpool_params_default(count);
            // Asleep between two computations, not waiting busily for the next: this process needs the
            // processors then (two threads on two of them write 3 to 6 % faster so).
            parameters.poll = 0;
            let pool = NonNull::new(new(&raw mut parameters))?;
            sys::llama_attach_threadpool(context.as_ptr(), pool.as_ptr(), pool.as_ptr());
            Some(Self { pool, free })
        }
    }
}

fn find(name: &CStr) -> Option<NonNull<()>> {
    // SAFETY: looks up the CPU device, which is always there once llama.cpp has started, and a
    // name in its table.
    unsafe {
        let device = sys::ggml_backend_dev_by_type(sys::GGML_BACKEND_DEVICE_TYPE_CPU);
        if device.is_null() {
            return None;
        }
        let registry = sys::ggml_backend_dev_backend_reg(device);
        NonNull::new(sys::ggml_backend_reg_get_proc_address(registry, name.as_ptr()).cast())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // SAFETY: made by the function's counterpart; the context that used it is gone.
        unsafe { (self.free)(self.pool.as_ptr()) }
    }
}

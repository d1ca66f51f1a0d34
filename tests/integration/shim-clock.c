/* SPDX-License-Identifier: MIT */
/* What is defined here must not be there in a checking, inlined version as well. */
#undef _FORTIFY_SOURCE

#include "shim-clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/*
 * A sleep without sleeping, for a program that this is preloaded into (LD_PRELOAD) or linked into. A machine that slept finds
 * CLOCK_BOOTTIME and CLOCK_REALTIME ahead of CLOCK_MONOTONIC by as much, and its timers on CLOCK_REALTIME that
 * want to know of jumps (TFD_TIMER_CANCEL_ON_SET) cancelled.
 *
 * Preloaded, it is steered from outside: $PRP_SHIM_CLOCK names a file of two int64_t, which is mapped: µs slept, and
 * µs by which the clock was set besides. SIGRTMIN tells the timers. Such a timer is an eventfd here, whose reads fail with
 * ECANCELED.
 */
typedef struct {
  int64_t slept_usec, set_usec;
} Ahead;

static Ahead own;
static volatile Ahead *ahead = &own;
static volatile int timer_fd = -1;

void
shim_clock_tell (void)
{
  uint64_t one = 1;
  int saved_errno = errno;

  if (timer_fd >= 0 && syscall (SYS_write, timer_fd, &one, sizeof one) < 0)
    abort ();
  errno = saved_errno;
}

void
shim_clock_sleep (int64_t usec)
{
  ahead->slept_usec += usec;
}

void
shim_clock_set (int64_t usec)
{
  ahead->set_usec += usec;
}

static void
on_signal (int number)
{
  shim_clock_tell ();
}

__attribute__ ((constructor)) static void
attach (void)
{
  const char *path = getenv ("PRP_SHIM_CLOCK");
  const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
  void *map;
  int fd;

  if (path == NULL)
    return;
  fd = open (path, O_RDWR | O_CLOEXEC);
  map = fd >= 0 ? mmap (NULL, sizeof *ahead, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (map == MAP_FAILED || sigaction (SIGRTMIN, &action, NULL) < 0)
    abort ();
  close (fd);
  ahead = map;
}

/* ---- what stands in front of the C library ---- */

int
clock_gettime (clockid_t clock, struct timespec *ret_now)
{
  int64_t usec = 0, nsec;

  if (syscall (SYS_clock_gettime, clock, ret_now) < 0)
    return -1;
  if (clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME)
    usec = ahead->slept_usec;
  if (clock == CLOCK_REALTIME)
    usec += ahead->set_usec;
  nsec = ret_now->tv_nsec + usec % 1000000 * 1000;
  ret_now->tv_sec += usec / 1000000 + (nsec >= 1000000000) - (nsec < 0);
  ret_now->tv_nsec = nsec + (nsec >= 1000000000 ? -1000000000 : nsec < 0 ? 1000000000 : 0);
  return 0;
}

int
gettimeofday (struct timeval *restrict ret_now, void *restrict zone)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  *ret_now = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
  return 0;
}

time_t
time (time_t *ret_now)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  if (ret_now != NULL)
    *ret_now = now.tv_sec;
  return now.tv_sec;
}

int
timerfd_create (clockid_t clock, int flags)
{
  if (clock != CLOCK_REALTIME)
    return (int) syscall (SYS_timerfd_create, clock, flags);
  timer_fd = eventfd (0, (flags & TFD_NONBLOCK ? EFD_NONBLOCK : 0) | (flags & TFD_CLOEXEC ? EFD_CLOEXEC : 0));
  return timer_fd;
}

int
timerfd_settime (int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value)
{
  if (fd != timer_fd)
    return (int) syscall (SYS_timerfd_settime, fd, flags, new_value, old_value);
  if ((flags & TFD_TIMER_CANCEL_ON_SET) == 0)
    abort ();
  return 0;
}

ssize_t
read (int fd, void *buffer, size_t size)
{
  ssize_t n = syscall (SYS_read, fd, buffer, size);

  if (fd < 0 || fd != timer_fd || n < 0)
    return n;
  errno = ECANCELED;
  return -1;
}

int
close (int fd)
{
  if (fd >= 0 && fd == timer_fd)
    timer_fd = -1;
  return (int) syscall (SYS_close, fd);
}

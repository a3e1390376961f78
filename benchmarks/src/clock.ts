/** Milliseconds of the system's monotonic clock: the same for all processes of a machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

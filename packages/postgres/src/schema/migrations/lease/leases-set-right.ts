import { restartLeaseFunction } from '../../superseded/lease/restart-lease.ts'

/** Whoever only reads the time of a lease has it set right after the clock was put back. */
export function leasesSetRight(schema: string): string[] {
  return [restartLeaseFunction(schema)]
}

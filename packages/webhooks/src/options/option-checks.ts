import { OptionsError } from '@oncekey/core'

/** A whole number. The default limit is what an `integer` column of PostgreSQL holds. */
export function whole(
  option: string,
  value: number,
  least: number,
  most: number = 2 ** 31 - 1,
): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new OptionsError(`${option} must be a whole number from ${least} to ${most}, not ${value}.`)
}

export function flag(option: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value
  throw new OptionsError(`${option} must be true or false, not ${String(value)}.`)
}

export function callback<Callback>(
  option: string,
  value: Callback | undefined,
): Callback | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new OptionsError(`${option} must be a function, not ${String(value)}.`)
}

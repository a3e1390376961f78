import { zonedTime } from '@oncekey/core'
import { usageError } from './cli-error.ts'
import type { Option } from './option.ts'

/**
 * The options and operands of the command line, read by type. To read a name that the verb does not
 * declare is a bug, and throws.
 */
export interface Given {
  /** Whether the verb declares this option. */
  has(name: string): boolean
  /**
   * The operand with this name. Operands are in the verb's order; one with `many` takes all that
   * follow.
   */
  operand(name: string): string
  operands(name: string): readonly string[]
  flag(name: string): boolean
  text(name: string): string | undefined
  required(name: string): string
  list(name: string): readonly string[]
  whole(name: string, least: number, most: number): number | undefined
  /** A duration such as `250ms`, `30s`, `5m`, `2h` or `7d`, in milliseconds. */
  durationMs(name: string): number | undefined
  /** A time in ISO 8601, or a duration, which means that long ago. */
  time(name: string): Date | undefined
}

export type Values = Readonly<
  Record<string, string | boolean | readonly (string | boolean)[] | undefined>
>

export function given(
  options: Readonly<Record<string, Option>>,
  values: Values,
  operands: ReadonlyMap<string, readonly string[]>,
): Given {
  const text = (name: string): string | undefined => {
    const value = valueGiven(name)
    return typeof value === 'string' ? value : undefined
  }
  return {
    has: (name) => name in options,
    operand: (name) => operands.get(name)?.[0] ?? '',
    operands: (name) => operands.get(name) ?? [],
    flag: (name) => valueGiven(name) === true,
    text,
    required(name) {
      const value = text(name)
      if (value !== undefined && value !== '') return value
      throw usageError(`--${name} is missing: write --${name} <${options[name]?.value}>.`)
    },
    list: (name) => (valueGiven(name) as readonly string[] | undefined) ?? [],
    whole(name, least, most) {
      const value = text(name)
      if (value === undefined) return undefined
      const number = Number(value)
      if (/^\d+$/.test(value) && number >= least && number <= most) return number
      throw usageError(`--${name} must be a whole number from ${least} to ${most}, not "${value}".`)
    },
    durationMs(name) {
      const value = text(name)
      return value === undefined ? undefined : durationMs(name, value)
    },
    time(name) {
      const value = text(name)
      return value === undefined ? undefined : timeOf(name, value)
    },
  }

  function valueGiven(name: string) {
    if (!(name in options)) throw new Error(`There is no option --${name} here.`)
    return values[name]
  }
}

function durationMs(name: string, value: string): number {
  const [, count, unit] = value.match(DURATION) ?? []
  const ms = Number(count) * (UNITS[unit ?? ''] ?? Number.NaN)
  if (Number.isSafeInteger(ms) && ms <= LONGEST_MS) return ms
  throw usageError(
    `--${name} must be a length of time such as 250ms, 30s, 5m, 2h or 7d, not "${value}".`,
  )
}

function timeOf(name: string, value: string): Date {
  if (DURATION.test(value)) return new Date(Date.now() - durationMs(name, value))
  const time = zonedTime(value)
  if (time !== undefined) return time
  throw usageError(
    `--${name} must be a time such as 2026-11-29T04:30:00Z, or so long ago: 2h. It is "${value}".`,
  )
}

const DURATION = /^(\d{1,12})(ms|s|m|h|d)$/
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
/** Ten years, so that every database can add the duration to a time. */
const LONGEST_MS = 3_650 * 86_400_000

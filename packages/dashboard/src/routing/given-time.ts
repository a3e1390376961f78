import { zonedTime } from '@oncekey/core'
import { BadInput } from './route.ts'

/** The time in a field; undefined if the field is empty. Throws {@link BadInput}. */
export function timeOf(
  name: string,
  field: (name: string) => string | null | undefined,
): Date | undefined {
  const text = field(name)
  if (!text) return undefined
  const time = zonedTime(text)
  if (time !== undefined) return time
  throw new BadInput(
    `\`${name}\` must be a time with its zone, such as 2026-11-29T04:30:00Z, not "${text}".`,
  )
}

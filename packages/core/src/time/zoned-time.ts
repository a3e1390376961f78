/**
 * The time that a person or a program has written: ISO 8601 with its zone, a date (its beginning in
 * UTC), or as the pages and the command line show it, `2026-11-29 04:30:00 UTC`. Returns
 * `undefined` for anything else. A time without a zone would mean another time on another machine.
 */
export function zonedTime(text: string): Date | undefined {
  const [, day, clock = 'T00:00', zone = 'Z'] = text.trim().match(FORM) ?? []
  if (day === undefined) return undefined
  const midnight = new Date(`${day}T00:00Z`)
  // A day that a month does not have would be one of the next month.
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day)) return undefined
  const time = new Date(`${day}${clock.replace(' ', 'T')}${zone.endsWith('UTC') ? 'Z' : zone}`)
  return Number.isNaN(time.getTime()) ? undefined : time
}

const FORM = /^(\d{4}-\d\d-\d\d)(?:([T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z| ?UTC|[+-]\d\d:\d\d))?$/

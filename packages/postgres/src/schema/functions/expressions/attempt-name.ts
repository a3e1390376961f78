/**
 * The name of an attempt of lease mode: its number, and when the key was first claimed. The number
 * alone would not do: after a release, numbers begin again with 1. `attempt` is an alias of
 * 'attempts', or a record with these columns.
 */
export function attemptName(attempt: string): string {
  return `${attempt}.number || '.' || floor(extract(epoch from ${attempt}.claimed_at) * 1000000)`
}

/**
 * Positions and epochs carry the life of the server that handed them out: `1700000000000-0@<life>`. On
 * record stand bare numbers, which a failover takes back together with what they speak of; what a
 * relay remembers of a life before is refused. See decision 159.
 */
export function inLife(text: string, life: string): string {
  return `${text}@${life}`
}

/** Of a position or an epoch. Empty: the server does not say. */
export function lifeOf(text: string): string {
  return text.slice(text.indexOf('@') + 1)
}

/** The id of an entry, without the life. */
export function entryIdOf(position: string): string {
  return position.slice(0, position.indexOf('@'))
}

/**
 * Positions and epochs name the life of the server that handed them out: `1700000000000-0@<life>`.
 * A life ends with a restart or a failover. A failover may take back data together with the numbers
 * of that data, and hand the numbers out again. What the server stores needs no life; what a relay
 * remembers from an earlier life is refused. See decision 159.
 */
export function inLife(text: string, life: string): string {
  return `${text}@${life}`
}

/** The life in a position or an epoch. Empty if the server does not reveal it. */
export function lifeOf(text: string): string {
  return text.slice(text.indexOf('@') + 1)
}

/** The id of an entry in a position, without the life. */
export function entryIdOf(position: string): string {
  return position.slice(0, position.indexOf('@'))
}

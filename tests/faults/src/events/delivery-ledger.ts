import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** A delivery to a consumer, as seen by the process that took it. */
export interface Taken {
  readonly consumer: string
  readonly id: string
  /** The relay in which it was taken. */
  readonly relay: string
}

/**
 * Appends lines to a file to which other processes write as well. A line is written at once: a
 * process may be killed before or after a line, but not within one.
 */
export function noteTaken(file: string, taken: readonly Taken[]): void {
  const lines = taken.map(({ consumer, id, relay }) => `${consumer} ${id} ${relay}\n`)
  appendFileSync(file, lines.join(''))
}

/** The deliveries of each consumer in order, including repeated ones. */
export function readTaken(file: string): Map<string, string[]> {
  const taken = new Map<string, string[]>()
  if (!existsSync(file)) return taken
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [consumer, id] = line.split(' ')
    if (consumer === undefined || id === undefined) continue
    const known = taken.get(consumer)
    if (known === undefined) taken.set(consumer, [id])
    else known.push(id)
  }
  return taken
}

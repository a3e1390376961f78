import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** What one consumer took, as it was seen by the process that took it. */
export interface Taken {
  readonly consumer: string
  readonly id: string
  /** The relay that it was taken in. */
  readonly relay: string
}

/** Lines at the end of the file, whoever else writes to it: a process may be killed before or after, not within. */
export function noteTaken(file: string, taken: readonly Taken[]): void {
  const lines = taken.map(({ consumer, id, relay }) => `${consumer} ${id} ${relay}\n`)
  appendFileSync(file, lines.join(''))
}

/** By consumer: what it took, in the order in which it did, with what came twice. */
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

import { hash } from 'node:crypto'

/**
 * A Lua script with its keys, its arguments and its reply. Redis runs a script without
 * interruption, but undoes nothing if it fails half-way. So a script first reads everything. Its
 * first write is a command that a full server refuses (HSET, SET): if Redis accepts it, Redis lets
 * the script run to its end.
 */
export interface Script<Question, Reply> {
  /** The name of the script in error messages. */
  readonly name: string
  readonly text: string
  readonly sha: string
  /** All keys are in one slot, because they share their hash tag. */
  keys(question: Question): readonly string[]
  args(question: Question): readonly ScriptArgument[]
  /** Reads the reply. Throws on anything that the script never replies. */
  reply(raw: unknown, question: Question): Reply
}

export type ScriptArgument = string | number | Buffer

/** Adds the digest by which a server recognizes a script it has seen. */
export function script<Question, Reply>(
  parts: Omit<Script<Question, Reply>, 'sha'>,
): Script<Question, Reply> {
  return { ...parts, sha: hash('sha1', parts.text) }
}

/** Reads a reply as text. Scripts reply with words, and with integers that are small and exact. */
export function textIn(raw: unknown): string {
  if (Buffer.isBuffer(raw)) return raw.toString()
  if (typeof raw === 'string') return raw
  throw unreadable(raw)
}

/** Reads an integer. With ioredis' option `stringNumbers` it arrives as text. */
export function integerIn(raw: unknown): number {
  const value = typeof raw === 'number' ? raw : Number(textIn(raw))
  if (!Number.isSafeInteger(value)) throw unreadable(raw)
  return value
}

export function bytesIn(raw: unknown): Buffer {
  if (Buffer.isBuffer(raw)) return raw
  throw unreadable(raw)
}

export function listIn(raw: unknown): readonly unknown[] {
  if (Array.isArray(raw)) return raw
  throw unreadable(raw)
}

/** Reads one of the words that a script can reply. */
export function wordIn<Word extends string>(raw: unknown, words: readonly Word[]): Word {
  const text = textIn(raw)
  const word = words.find((each) => each === text)
  if (word === undefined) throw unreadable(raw)
  return word
}

export function unreadable(raw: unknown): TypeError {
  const shown = Buffer.isBuffer(raw) ? raw.toString('latin1') : String(raw)
  const text = `Not an answer of Oncekey's script: ${JSON.stringify(shown.slice(0, 80))}`
  return Object.assign(new TypeError(text), { name: 'UnreadableReply' })
}

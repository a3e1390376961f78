import { hash } from 'node:crypto'

/**
 * One Lua script and all there is to say about it: which keys it touches, what it is told, what it
 * answers. Redis runs it without interruption, and undoes nothing of one that fails half-way: so a
 * script looks at everything first, and its first write is one that a full server refuses (HSET,
 * SET), after which it is let through to its end.
 */
export interface Script<Question, Reply> {
  /** For messages. */
  readonly name: string
  readonly text: string
  readonly sha: string
  /** All in one slot: they share their hash tag. */
  keys(question: Question): readonly string[]
  args(question: Question): readonly ScriptArgument[]
  /** Throws on what the script never answers: then it was not the script that answered. */
  reply(raw: unknown, question: Question): Reply
}

export type ScriptArgument = string | number | Buffer

/** The script with the digest by which a server that has seen it knows it. */
export function script<Question, Reply>(
  parts: Omit<Script<Question, Reply>, 'sha'>,
): Script<Question, Reply> {
  return { ...parts, sha: hash('sha1', parts.text) }
}

/** What a reply is made of. Scripts answer words, and integers where they are small and exact. */
export function textIn(raw: unknown): string {
  if (Buffer.isBuffer(raw)) return raw.toString()
  if (typeof raw === 'string') return raw
  throw unreadable(raw)
}

/** Under ioredis' `stringNumbers` an integer is text. */
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

/** One of the words that a script ends with. */
export function wordIn<Word extends string>(raw: unknown, words: readonly Word[]): Word {
  const text = textIn(raw)
  const word = words.find((each) => each === text)
  if (word === undefined) throw unreadable(raw)
  return word
}

export function unreadable(raw: unknown): TypeError {
  const shown = Buffer.isBuffer(raw) ? raw.toString('latin1') : String(raw)
  return new TypeError(`Not an answer of Oncekey's script: ${JSON.stringify(shown.slice(0, 80))}`)
}

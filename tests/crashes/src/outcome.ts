import { isDeepStrictEqual } from 'node:util'
import { waitFor } from '@oncekey/test-servers'
import type { Crash, Place } from './crash.ts'
import type { Database } from './databases/database.ts'
import { LEASE_MS } from './programs/server-options.ts'

/** The outcome of a request whose server was killed, as seen from outside. */
export interface Outcome {
  /** What the client received before anyone sent the request again. */
  readonly received: string
  readonly left: { readonly effects: number; readonly events: number }
  readonly blockedFor: 'nothing' | 'its lease' | 'more than its lease' | 'less than its lease'
  /**
   * The answers to retries, until one is a replay. Retries go first to a server with `whenUnknown:
   * 'hold'`, then to one with `'retake'`, then to the first again.
   */
  readonly answers: readonly string[]
  /** The answer to another body under the same key. */
  readonly otherBody: string
  /**
   * For each effect, the run that made it: the run whose receipt the client has, or one that no
   * client knows of.
   */
  readonly effects: readonly string[]
  readonly events: readonly string[]
  readonly stored: 'what was answered' | 'something else'
  readonly leftOver: readonly string[]
}

export async function outcomeOf(
  { requests, heir }: Crash,
  at: Place,
  database: Database,
): Promise<Outcome> {
  const request = requests.find(({ place }) => isDeepStrictEqual(place, at))
  if (request === undefined) throw new Error(`No request was there: ${JSON.stringify(at)}`)
  const { key, body, received, leaseLeftMs } = request
  const { retake, hold } = heir[at.adapter]
  const left = {
    effects: (await database.effects(key)).length,
    events: (await database.events(key)).length,
  }
  const answers = [await settled(hold, key, body)]
  const leftThenMs = await database.leaseLeftMs(key)
  for (const url of [retake, hold]) {
    if (answers.at(-1)?.summary.endsWith('replayed')) break
    answers.push(await settled(url, key, body))
  }
  const otherBody = await post(retake, key, JSON.stringify({ order: key, other: true }))
  const bodies = answers.filter(({ summary }) => summary.startsWith('201'))
  const answer = bodies[0]?.bytes ?? Buffer.alloc(0)
  const { receipt } = JSON.parse(answer.toString())
  const named = (line: string): string =>
    line.startsWith(receipt) ? line.replace(receipt, 'answered') : line.replace(/^\S+/, 'lost')
  const stored = await database.stored(key)

  return {
    received: partOf(received, answer),
    left,
    blockedFor: blockedFor(leaseLeftMs, leftThenMs),
    answers: answers.map(({ summary }) => summary),
    otherBody: otherBody.summary,
    effects: (await database.effects(key)).map(named).toSorted(),
    events: (await database.events(key)).map(named),
    stored: bodies.every(({ bytes }) => stored?.equals(bytes))
      ? 'what was answered'
      : 'something else',
    leftOver: await leftOver(database, key),
  }
}

interface Answered {
  readonly summary: string
  readonly bytes: Buffer
}

async function post(url: string, key: string, body: string): Promise<Answered> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body,
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const { attempt, code } = JSON.parse(bytes.toString())
  const replayed = response.headers.get('x-idempotency-replayed') === 'true' ? ', replayed' : ''
  return { bytes, summary: `${response.status} ${code ?? `attempt ${attempt}`}${replayed}` }
}

/**
 * Retries as long as the answer is `in-progress`. That ends, because neither a lock nor a lease of
 * a dead process lasts for ever.
 */
async function settled(url: string, key: string, body: string): Promise<Answered> {
  return await waitFor(
    async () => {
      const answered = await post(url, key, body)
      return answered.summary !== '409 in-progress' && answered
    },
    { what: `the key "${key}" to come free`, timeoutMs: 20_000 },
  )
}

/**
 * How long the key was blocked, compared with what was left of the lease when the process died and
 * when the first answer came.
 */
function blockedFor(leftAtDeathMs = 0, leftThenMs = 0): Outcome['blockedFor'] {
  if (leftThenMs > 0) return 'less than its lease'
  if (leftAtDeathMs > LEASE_MS) return 'more than its lease'
  return leftAtDeathMs === 0 ? 'nothing' : 'its lease'
}

function partOf(received: Buffer, answer: Buffer): string {
  if (received.length === 0) return 'nothing'
  const head = received.indexOf('\r\n\r\n')
  const part = received.subarray(head + 4)
  if (head === -1 || part.length === 0) return 'no body'
  if (!answer.subarray(0, part.length).equals(part)) return 'something else'
  return part.length < answer.length ? 'a part' : 'all of it'
}

/** Waits, because the database notices the end of a connection only a moment later. */
async function leftOver(database: Database, key: string): Promise<string[]> {
  let last: string[] = []
  const isClean = async (): Promise<boolean> => {
    last = await database.leftOver(key)
    return last.length === 0
  }
  try {
    await waitFor(isClean, { what: 'nothing to be left over' })
  } catch (error) {
    if (last.length === 0) throw error
  }
  return last
}

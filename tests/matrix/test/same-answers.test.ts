import { type IncomingMessage, request } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { type AnswerCase, answerCases } from '../src/answer-cases.ts'
import { caseAdapters } from '../src/case-servers.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

describe.each(answerCases)('$name', (answer) => {
  const { method = 'POST', raw } = answer
  const adapters = caseAdapters.filter(({ writesRaw }) => raw === undefined || writesRaw)

  test('is sent identically by every adapter, at first and in two replays, and runs once', async () => {
    const seen: Record<string, object> = {}
    for (const { name, serve } of adapters) {
      const site = await serve(answer)
      closing.push(site.close)
      const first = await ask(site.url, method)
      expect([first.replayed, first.has('transfer-encoding', 'content-length')], name).toEqual([
        undefined,
        true,
      ])
      for (const _ of [1, 2]) {
        const again = await ask(site.url, method)
        expect(again.replayed, name).toBe('true')
        expect(again.shown, name).toEqual(first.shown)
      }
      expect(site.runs(), name).toBe(1)
      seen[name] = withoutType(first.shown, answer)
    }
    const [first, ...others] = Object.values(seen)
    for (const other of others) expect(other, JSON.stringify(Object.keys(seen))).toEqual(first)
  })
})

test('there are 29 of them', () => {
  expect(answerCases.length).toBe(29)
})

/** Removes the content type if the handler sets none: each framework then adds its own, or none. */
function withoutType(shown: Shown, { raw, reply }: AnswerCase): Shown {
  const typed = raw !== undefined || reply?.headers?.some(([name]) => name === 'content-type')
  if (typed) return shown
  return { ...shown, headers: shown.headers.filter(([name]) => name !== 'content-type') }
}

interface Shown {
  readonly status: number | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

interface Seen {
  readonly replayed: string | string[] | undefined
  /** Whether each of these header names occurs on at most one line. */
  has(...names: string[]): boolean
  readonly shown: Shown
}

/** Sends the same request each time. */
async function ask(url: string, method: string): Promise<Seen> {
  const headers = { 'idempotency-key': 'k', 'accept-encoding': 'gzip, br, deflate, x-own' }
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { method, headers, agent: false }, resolve).on('error', reject).end()
  })
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  const { rawHeaders, headers: named } = incoming
  const pairs = rawHeaders.flatMap((name, at) =>
    at % 2 === 0 ? [[name.toLowerCase(), rawHeaders[at + 1] as string] as const] : [],
  )
  const one = (names: string[]) => pairs.filter(([name]) => names.includes(name)).length <= 1
  return {
    replayed: named['x-idempotency-replayed'],
    has: (...names: string[]) => one(names),
    shown: {
      status: incoming.statusCode,
      headers: joined(pairs.filter(([name]) => !OF_THE_SERVER.has(name))),
      body: Buffer.concat(chunks).toString('hex'),
    },
  }
}

/**
 * Joins the lines of one header by commas. That means the same, and is the only form that a
 * `Headers` has.
 */
function joined(pairs: readonly (readonly [name: string, value: string])[]) {
  const values = new Map<string, (readonly [string, string])[]>()
  for (const pair of pairs) values.set(pair[0], [...(values.get(pair[0]) ?? []), pair])
  return [...values]
    .map(([name, lines]) => [name, lines.map(([, value]) => value).join(', ')] as const)
    .sort()
}

const OF_THE_SERVER = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
  'x-idempotency-replayed',
])

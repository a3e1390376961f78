import type { HeaderChange, PlainResponse } from '@oncekey/core'
import type { BrokenAdapter } from './broken-adapter.ts'
import type { RenderedReply } from './steps.ts'

/** Adapters that change the first response or its replay. */
export const brokenAnswers: readonly BrokenAdapter[] = [
  {
    fault: 'answers with another status',
    steps: () => ({ reply: (reply) => ({ ...reply, status: 299 }) }),
    caughtBy: [
      /^the first answer: .* arrives/,
      /^a replay: repeats status/,
      /^a response of status/,
    ],
  },
  {
    fault: 'takes any status for an answer',
    steps: () => ({ isFinal: () => true }),
    caughtBy: ['a handler that fails: by a final status below 200'],
  },
  {
    fault: 'holds the memory of a stream’s pieces, and no copy of it',
    steps: () => ({ piece: (bytes) => bytes }),
    caughtBy: [/^the first answer: .*one buffer/],
  },
  {
    fault: 'drops what headers a handler set, and does not tell it what was sent',
    steps: () => ({ reply: (reply) => ({ ...reply, headers: [] }), body: () => ({}) }),
    caughtBy: [
      'the first answer: has the handler’s headers',
      'the first answer: gives the handler what the client sent',
    ],
  },
  {
    fault: 'drops what was set outside',
    steps: () => ({ outside: () => ({}) }),
    caughtBy: [
      'the first answer: has the headers set outside',
      'the headers of a replay: are not those set outside',
      'a problem: has the headers set outside',
    ],
  },
  {
    fault: 'gives the answer of one key to all',
    steps() {
      let first: RenderedReply | undefined
      return {
        reply(reply) {
          first ??= reply
          return first
        },
      }
    },
    caughtBy: ['the first answer: belongs to its key, on one connection and on many at once'],
  },
  {
    fault: 'begins to answer before the commit',
    steps: () => ({ beforeCompletion: (_, { res }) => res.flushHeaders() }),
    caughtBy: [
      'the first byte: ',
      /^a commit that: (is lost|fails|succeeded|another|collided)/,
      'a route that streams: sends nothing',
      'a problem: of code commit-failed',
      'secrets in a response: are kept from the store',
    ],
  },
  {
    fault: 'keeps another response than it sends',
    steps: () => ({
      kept: ({ headers, body }) => ({ status: 299, headers, body: Buffer.concat([body, SPACE]) }),
    }),
    caughtBy: [
      /^a replay: repeats/,
      'a replay: is sent for each of 1,000 retries, 50 at a time',
      'a replay: is not influenced by a marker header from the client',
    ],
  },
  {
    fault: 'keeps no headers',
    steps: () => ({ kept: (response) => ({ ...response, headers: [] }) }),
    caughtBy: [
      /^the headers of a replay: keep/,
      'the headers of a replay: lack headers from outside that the handler removed, and have those it changed',
      'the headers of a replay: follow `replayHeader` over the standard list',
    ],
  },
  {
    fault: 'joins the values of a header',
    steps: () => ({
      kept: ({ headers, ...response }) => ({ ...response, headers: joined(headers) }),
    }),
    caughtBy: ['the headers of a replay: keep several values'],
  },
  {
    fault: 'replays every header there was',
    steps() {
      const sent = new Map<string, PlainResponse['headers']>()
      return {
        kept(response, { key }) {
          sent.set(key, response.headers)
          return response
        },
        answer: (response, kind, { key }) =>
          kind === 'replay'
            ? { ...response, headers: [...(sent.get(key) ?? []), ...marks(response)] }
            : response,
      }
    },
    caughtBy: [
      /^the headers of a replay: never have/,
      'the headers of a replay: follow `replayHeader` over the standard list',
      'the headers of a replay: have a date',
    ],
  },
  {
    fault: 'marks replays in its own way only',
    steps: () => ({ options: ({ replayedHeader: _, ...options }) => options }),
    caughtBy: ['a replay: can be marked'],
  },
  {
    fault: 'replays ten times and no more',
    steps() {
      let replays = 0
      return {
        answer(response, kind) {
          if (kind === 'replay') replays += 1
          return replays > 10 ? { ...response, status: 409 } : response
        },
      }
    },
    caughtBy: ['a replay: is sent for each of 1,000 retries, 50 at a time'],
  },
  {
    fault: 'answers problems in its own words',
    steps: () => ({
      answer: (response, kind) =>
        kind === 'problem' ? { status: 500, headers: [], body: Buffer.from('{}') } : response,
    }),
    caughtBy: [
      /^keys: .* is refused/,
      /^a problem: (of code|names|is never)/,
      /^a key used with another request: .*422/,
      'a handler that takes too long: is answered for',
      'a handler that takes too long: has its writes',
      'a handler that takes too long: and whose stream',
      'a response that is too large to be kept: in transaction mode',
      'a store that: cannot be reached is answered',
      'a server that drains: lets running',
    ],
  },
  {
    fault: 'tells the client what the store said',
    steps: () => ({
      async begin(engine, request) {
        const begun = await engine.begin(request)
        if (begun.kind !== 'problem' || begun.cause === undefined) return begun
        const body = Buffer.from(JSON.stringify({ code: begun.code, cause: String(begun.cause) }))
        return { ...begun, response: { ...begun.response, body } }
      },
    }),
    caughtBy: ['a store that: cannot be reached does not tell the client why'],
  },
  {
    fault: 'remembers problems',
    steps() {
      const told = new Map<string, PlainResponse>()
      return {
        answer(response, kind, { key }) {
          if (kind !== 'problem') return response
          const first = told.get(key) ?? response
          told.set(key, first)
          return first
        },
      }
    },
    caughtBy: ['a problem: is never stored'],
  },
  {
    fault: 'does not say where its problems are documented',
    steps: () => ({ options: ({ docsUrl: _, ...options }) => options }),
    caughtBy: ['a problem: names the page'],
  },
  {
    fault: 'knows of no page for each problem',
    steps: () => ({
      options: ({ docsUrl, ...options }) => ({
        ...options,
        ...(docsUrl !== undefined && { docsUrl: docsUrl.replace(/\/$/, '') }),
      }),
    }),
    caughtBy: ['a problem: names the page'],
  },
  {
    fault: 'answers the failures of handlers in their place',
    steps: () => ({
      reply: (reply) => (reply.status >= 500 ? { ...reply, body: Buffer.from('{}') } : reply),
    }),
    caughtBy: [
      'a handler that fails: because',
      'a store that: cannot undo',
      'a response that is too large to be kept: does not matter if it is not stored anyway: a 500 is delivered completely',
    ],
  },
]

const SPACE = Buffer.from(' ')

function marks({ headers }: PlainResponse): PlainResponse['headers'] {
  return headers.filter(([name]) => name.toLowerCase() === 'x-idempotency-replayed')
}

function joined(headers: PlainResponse['headers']): HeaderChange[] {
  const names = [...new Set(headers.map(([name]) => name))]
  return names.map((name) => {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value)
    return [name, values.includes(null) ? null : values.join(', ')]
  })
}

import { createHash, randomUUID } from 'node:crypto'
import { type BrokenAdapter, runUnclaimed, withKey } from './broken-adapter.ts'

/** Adapters that misread the request or its authority. */
export const brokenRequests: readonly BrokenAdapter[] = [
  {
    fault: 'runs requests without a key as if none were needed',
    steps: () => ({ options: (options) => ({ ...options, required: false }) }),
    caughtBy: ['keys: a request without a key', 'a problem: of code key-missing'],
  },
  {
    fault: 'asks for a key where the route says that none is needed',
    steps: () => ({ options: (options) => ({ ...options, required: true }) }),
    caughtBy: [
      'a route that does not require a key: runs the handler',
      'a route that does not require a key: gives the handler',
      'a route that does not require a key: commits',
      'a route that does not require a key: undoes',
      'a route that does not require a key: answers 503',
      'a server that drains: refuses requests without a key',
    ],
  },
  {
    fault: 'takes what came of a request that was cut off for all of it',
    steps: () => ({
      text: (req) =>
        new Promise((resolve) => {
          let text = ''
          req.on('data', (chunk) => {
            text += chunk
          })
          req.on('error', () => resolve(text))
          req.on('end', () => resolve(text))
        }),
    }),
    caughtBy: ['a client that hangs up: half-way through its upload'],
  },
  {
    fault: 'hashes whatever the header says into a key',
    steps: () => ({
      request: (request) => ({
        ...request,
        header(name) {
          const lines = request.header(name)
          if (name !== 'idempotency-key' || lines.length === 0) return lines
          return [createHash('sha256').update(lines.join()).digest('hex')]
        },
      }),
    }),
    caughtBy: [
      'keys: a key that is empty',
      'keys: a key with',
      'keys: a key beyond ASCII',
      'keys: a key whose quote',
      'keys: a key that is a list',
      'keys: a key on two lines',
      'keys: a key twice the same',
      'keys: a key of 256',
      'keys: a quoted key and the bare one',
      'keys: escapes',
      'a route that does not require a key: still replays',
      'a problem: of code key-invalid',
    ],
  },
  {
    fault: 'shows what the app chose for the fingerprint to whoever wants the bytes that came',
    steps: () => ({ request: ({ rawBody: _, ...request }) => request }),
    caughtBy: ['a request that `authenticate` checks: is checked over the bytes that came where'],
  },
  {
    fault: 'checks requests with the methods that have a key, and passes on all others',
    steps: () => ({ covers: ({ options }, method) => options.methods.has(method) }),
    caughtBy: ['a request that `authenticate` checks: is checked whatever its method is'],
  },
  {
    fault: 'takes keys of up to 64 characters only',
    steps: () => ({
      options: (options) => ({ ...options, validateKey: (key) => key.length <= 64 }),
    }),
    caughtBy: ['keys: a key of 255', 'keys: a key that `validateKey` rejects is refused'],
  },
  {
    fault: 'takes keys in any case for the same',
    steps: () => ({ request: (request) => withKey(request, (key) => key.toLowerCase()) }),
    caughtBy: ['keys: keys that differ in case'],
  },
  {
    fault: 'knows one header for the key, and one form of it',
    steps: () => ({
      options: ({ header: _, ...options }) => ({ ...options, strict: false }),
    }),
    caughtBy: [
      'keys: the header that carries',
      'keys: with `strict`',
      'an option that is a function: is not needed',
    ],
  },
  {
    fault: 'covers every method',
    steps: () => ({ covers: () => true }),
    caughtBy: ['methods: GET', 'methods: PUT', 'methods: DELETE', 'methods: `methods`'],
  },
  {
    fault: 'covers POST alone',
    steps: () => ({ covers: (_, method) => method === 'POST' }),
    caughtBy: ['methods: PATCH'],
  },
  {
    fault: 'compares the length of bodies',
    steps: () => ({
      request: (request, { text }) => ({
        ...request,
        async fingerprintInput() {
          const input = await request.fingerprintInput()
          return { ...input, body: { kind: 'parsed', value: text.length } }
        },
      }),
    }),
    caughtBy: [
      'a key used with another request: with another body of the same length',
      'a key used with another request: with a list in another order',
      'a key used with another request: is not another request if only the order and spacing of the JSON differ',
      'a key used with another request: follows a custom `fingerprint`',
    ],
  },
  {
    fault: 'compares nothing but keys',
    steps: () => ({
      request: (request) => ({
        ...request,
        fingerprintInput: () => ({
          method: 'POST',
          target: '/',
          contentType: undefined,
          body: { kind: 'none' },
        }),
      }),
    }),
    caughtBy: [
      'a key used with another request: with',
      'a key used with another request: by a stranger',
      'an option that is a function: that throws is an error of the app, and nothing runs: fingerprint',
      'an option that is a function: that throws undefined is an error of the app, and nothing runs: fingerprint',
      'a key used with another request: is told so',
      'a key whose result is no longer kept: still refuses another request: 422 key-reused',
      'a problem: of code key-reused',
      'a problem: is never stored',
      'secrets in a response: stay replayable',
    ],
  },
  {
    fault: 'compares nothing but keys, in lease mode',
    mode: 'lease',
    steps: () => ({
      request: (request) => ({
        ...request,
        fingerprintInput: () => ({
          method: 'POST',
          target: '/',
          contentType: undefined,
          body: { kind: 'none' },
        }),
      }),
    }),
    caughtBy: ['an outcome that is unknown: answers another request with 422 key-reused'],
  },
  {
    fault: 'reads no trace from a request',
    steps: () => ({
      request: (request) => ({
        ...request,
        header: (name) => (name === 'traceparent' ? [] : request.header(name)),
      }),
    }),
    caughtBy: ['the context of a handler: has the traceparent of the request, or none'],
  },
  {
    fault: 'runs handlers without a claim where the store fails',
    steps: () => ({
      async begin(engine, request) {
        const failed = await engine.begin(request).catch(() => undefined)
        const isFailure =
          failed === undefined || (failed.kind === 'problem' && failed.response.status === 503)
        return isFailure ? runUnclaimed(engine, request) : failed
      },
    }),
    caughtBy: [
      'a store that: cannot be reached is answered',
      'a store that: throws what is no error',
      'a store that: is busy',
      'a store that: is not migrated',
      'a store that: is of a later version',
      'a store that: comes back',
      'a server that drains: lets running',
      'a problem: of code store-unavailable',
    ],
  },
  {
    fault: 'runs handlers for who says that they are replays already',
    steps: () => ({
      begin: (engine, request) =>
        request.header('x-idempotency-replayed').length > 0
          ? runUnclaimed(engine, request)
          : engine.begin(request),
    }),
    caughtBy: ['a replay: is not influenced by a marker header from the client'],
  },
  {
    fault: 'runs again for every retry',
    steps: () => ({
      begin: (engine, request) =>
        engine.begin(withKey(request, (key) => (/^"?[\w-]+"?$/.test(key) ? randomUUID() : key))),
    }),
    caughtBy: [
      'a replay: repeats',
      'a replay: is sent for each of 1,000 retries, 50 at a time',
      'a replay: repeats the original response, whatever the handler does to its objects afterwards',
      'a replay: leaves writes',
      'a request whose key is running: is told so: 409',
      'a request whose key is running: gets the single response, for 50 concurrent clients that retry',
      'a request whose key is running: waits for the result',
      'a request whose key is running: is told so once',
      'a client that hangs up: while the handler',
      'a client that hangs up: between',
      'a key whose result is no longer kept: answers 410',
      'a route that streams: is on record',
      'a route that streams: also handles a response that is not a stream',
      'a commit that: succeeded although its reply was lost is replayed to the retry',
      'a problem: of code in-progress',
      'secrets in a response: are not readable in the store',
    ],
  },
  {
    fault: 'answers who waits with 409 at once',
    steps: () => ({ options: (options) => ({ ...options, waitMs: 0 }) }),
    caughtBy: ['a request whose key is running: waits for the result'],
  },
  {
    fault: 'waits on for a client that is gone',
    steps: () => ({
      request: (request) => ({ ...request, signal: new AbortController().signal }),
    }),
    caughtBy: ['a request whose key is running: stops waiting when its client disconnects'],
  },
  {
    fault: 'runs one request at a time',
    steps() {
      let last: Promise<unknown> = Promise.resolve()
      return {
        async begin(engine, request, { res }) {
          const before = last
          last = new Promise((resolve) => res.once('close', resolve))
          await before
          return engine.begin(request)
        },
      }
    },
    caughtBy: ['a request whose key is running: does not hold up'],
  },
]

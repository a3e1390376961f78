import type { EngineOptions } from '@oncekey/core'
import { type BrokenAdapter, runUnclaimed } from './broken-adapter.ts'

/** Adapters that treat the options of an app differently than promised. */
export const brokenOptions: readonly BrokenAdapter[] = [
  {
    fault: 'knows nothing of options that are functions',
    steps: () => ({
      options: (options) => eachFunction(options, () => undefined),
      scope: () => 'dangerously-shared',
      request: (request) => ({
        ...request,
        fingerprintInput: async () => {
          const { body, ...input } = await request.fingerprintInput()
          if (body.kind === 'chosen' && body.value instanceof Promise) body.value.catch(() => {})
          return { ...input, body: { kind: 'none' } }
        },
      }),
    }),
    caughtBy: [
      /^an option that is a function: (?!may be async|that finds out|is not needed|.*: fingerprint$)/,
      /^an option that is a function: that (rejects|returns|never answers).*: fingerprint$/,
    ],
  },
  {
    fault: 'knows nothing of options that are functions, in lease mode',
    mode: 'lease',
    steps: () => ({ options: (options) => eachFunction(options, () => undefined) }),
    caughtBy: ['an option that is a function: that finds out'],
  },
  {
    fault: 'goes on with the handler where what was thrown is falsy',
    steps: () => ({
      begin: (engine, request) =>
        engine.begin(request).catch((error) => {
          if (error.code !== 'option-failed' || error.cause) throw error
          return runUnclaimed(engine, request)
        }),
    }),
    caughtBy: [
      /^an option that is a function: that (throws undefined|rejects without).*: (key|url|seal)$/,
      /^an option that is a function: that (throws undefined|rejects without).*: (validateKey|auth)/,
    ],
  },
  {
    fault: 'takes a promise for an answer',
    steps: () => ({
      options: (options) =>
        eachFunction(
          options,
          (call) =>
            (...given: unknown[]) =>
              answeredAtOnce(call(...given)),
        ),
      scope: ({ scope }) =>
        typeof scope === 'function' ? (header) => answeredAtOnce(scope(header)) : scope,
      request: (request) => ({
        ...request,
        async fingerprintInput() {
          const input = await request.fingerprintInput()
          if (input.body.kind === 'chosen') answeredAtOnce(input.body.value)
          return input
        },
      }),
    }),
    caughtBy: ['an option that is a function: may be async'],
  },
  {
    fault: 'lets in everybody',
    steps: () => ({ options: ({ authenticate: _, ...options }) => options }),
    caughtBy: [
      'a request that `authenticate` checks: is refused',
      'a problem: of code not-authentic',
    ],
  },
  {
    fault: 'checks who sent a request over what a parser made of it',
    steps: () => ({
      request: (request, { text }) => ({
        ...request,
        rawBody: () => ({
          kind: 'bytes',
          bytes: Buffer.from(JSON.stringify(JSON.parse(text))),
        }),
      }),
    }),
    caughtBy: ['a request that `authenticate` checks: is checked over'],
  },
  {
    fault: 'has one scope for all',
    steps: () => ({
      scope: () => 'dangerously-shared',
    }),
    caughtBy: [
      'scopes: never mix: the same key of two customers is two keys',
      'scopes: and keys are distinct even if their concatenation is equal',
      'scopes: have no default',
      'scopes: a scope that',
      'the context of a handler: has the key, the scope and the attempt',
      'the context of a handler: derives keys',
    ],
  },
  {
    fault: 'has a scope for every customer, whatever it is told',
    steps: () => ({
      request: (request, { req }) => ({ ...request, scope: String(req.headers['x-customer']) }),
    }),
    caughtBy: ['scopes: are one with `dangerously-shared`'],
  },
  {
    fault: 'has one namespace for all',
    steps: () => ({ options: (options) => ({ ...options, namespace: 'http' }) }),
    caughtBy: ['scopes: of two namespaces'],
  },
]

/** The options with every function replaced. */
function eachFunction(
  options: EngineOptions<unknown>,
  change: (call: (...given: unknown[]) => unknown) => unknown,
): EngineOptions<unknown> {
  const entries = Object.entries(options).map(([name, value]) => [
    name,
    typeof value === 'function' ? change(value) : value,
  ])
  return Object.fromEntries(entries)
}

function answeredAtOnce<Value>(value: Value): Value {
  if (!(value instanceof Promise)) return value
  value.catch(() => {})
  throw new Error('not at once')
}

import {
  checkScopeOption,
  createEngine,
  drainEngines,
  type Engine,
  OptionsError,
} from '@oncekey/core'
import { type Class, decoratedOptions, type Handler } from './metadata.ts'
import type { IdempotencyOptions, RouteIdempotency } from './options.ts'

/** An engine, and those of its options that concern a request. */
export interface Coverage
  extends Pick<IdempotencyOptions, 'scope' | 'fingerprint' | 'maxRequestBytes' | 'waitMs'> {
  readonly engine: Engine<unknown>
}

/**
 * All coverages of an application. A coverage is an engine with its request options: there is the
 * module's, and one for each route that has options of its own.
 */
export interface Coverages {
  /**
   * The coverage of a route; `undefined` for a route without `@Idempotent`, or with
   * `@Idempotent(false)`.
   */
  of(type: Class, handler: Handler): Coverage | undefined
  all(): readonly Coverage[]
  drain: Engine<unknown>['drain']
}

/**
 * Validates the module's options, and a route's when it is first asked for. Throws `OptionsError`.
 */
export function coverages(options: IdempotencyOptions): Coverages {
  const own = coverage(options)
  const all = [own]
  const found = new Map<Class, Map<Handler, Coverage | undefined>>()

  function of(type: Class, handler: Handler): Coverage | undefined {
    const ofType = found.get(type) ?? new Map<Handler, Coverage | undefined>()
    found.set(type, ofType)
    if (!ofType.has(handler)) ofType.set(handler, make(type, handler))
    return ofType.get(handler)
  }

  function make(type: Class, handler: Handler): Coverage | undefined {
    const [ofClass, ofMethod] = [decoratedOptions(type), decoratedOptions(handler)]
    const said = ofMethod ?? ofClass
    if (said === undefined || said === false) return undefined
    const differently: RouteIdempotency = { ...(ofClass || {}), ...said }
    if (Object.keys(differently).length === 0) return own
    try {
      const made = coverage({ ...options, ...differently })
      all.push(made)
      return made
    } catch (error) {
      if (!(error instanceof OptionsError)) throw error
      throw new OptionsError(`@Idempotent of ${type.name}.${handler.name}: ${error.message}`)
    }
  }

  const drain: Engine<unknown>['drain'] = (limit) =>
    drainEngines(
      all.map(({ engine }) => engine),
      limit,
    )

  return { of, all: () => all, drain }
}

function coverage(options: IdempotencyOptions): Coverage {
  if (typeof options !== 'object' || options === null) {
    throw new OptionsError(
      'IdempotencyModule has no options: write forRoot({ store, scope }), or return them from useFactory of forRootAsync.',
    )
  }
  checkScopeOption(options.scope)
  const { scope, fingerprint, waitMs, maxRequestBytes = 1_048_576 } = options
  if (fingerprint !== undefined && typeof fingerprint !== 'function') {
    throw new OptionsError('fingerprint must be a function: `(request) => …what counts`.')
  }
  if (!Number.isSafeInteger(maxRequestBytes) || maxRequestBytes < 1) {
    throw new OptionsError('maxRequestBytes must be a whole number of bytes, 1 or more.')
  }
  return {
    engine: createEngine(options),
    scope,
    maxRequestBytes,
    ...(fingerprint && { fingerprint }),
    ...(waitMs !== undefined && { waitMs }),
  }
}

import {
  checkScopeOption,
  createEngine,
  drainEngines,
  type Engine,
  OptionsError,
} from '@oncekey/core'
import type { RouteOptions } from 'fastify'
import type { IdempotencyOptions, RouteIdempotency } from './options.ts'

/** An engine, and those of its options that are functions of a Fastify request. */
export interface Coverage extends Pick<IdempotencyOptions, 'scope' | 'fingerprint'> {
  readonly engine: Engine<unknown>
}

/**
 * Every coverage of one registration: the plugin's, and one for each route that has its own
 * options.
 */
export interface Coverages {
  readonly plugin: Coverage
  /**
   * The route's coverage; `undefined` if its option `idempotency` is `false`. Throws an
   * `OptionsError` that names the route.
   */
  ofRoute(route: RouteOptions): Coverage | undefined
  drain: Engine<unknown>['drain']
}

/** Validates the plugin's options, and each route's when it is registered. */
export function coverages(options: IdempotencyOptions): Coverages {
  const plugin = coverage(options)
  const all = [plugin]

  function ofRoute(route: RouteOptions): Coverage | undefined {
    const own = route.config?.idempotency
    if (own === false) return undefined
    if (own === undefined) return plugin
    try {
      const routes = coverage(merged(options, own))
      checkMethods(route, own, routes)
      all.push(routes)
      return routes
    } catch (error) {
      if (!(error instanceof OptionsError)) throw error
      throw new OptionsError(`config.idempotency of ${nameOf(route)}: ${error.message}`)
    }
  }

  const drain: Engine<unknown>['drain'] = (limit) =>
    drainEngines(
      all.map(({ engine }) => engine),
      limit,
    )

  return { plugin, ofRoute, drain }
}

function coverage(options: IdempotencyOptions): Coverage {
  checkScopeOption(options?.scope)
  const { scope, fingerprint } = options
  if (fingerprint !== undefined && typeof fingerprint !== 'function') {
    throw new OptionsError('fingerprint must be a function: `(request) => …what counts`.')
  }
  return { engine: createEngine(options), scope, ...(fingerprint && { fingerprint }) }
}

function merged(options: IdempotencyOptions, own: RouteIdempotency): IdempotencyOptions {
  if (typeof own !== 'object' || own === null) {
    throw new OptionsError('it must be options for this route, or false.')
  }
  return { ...options, ...own }
}

/**
 * Throws if a route has options of its own but no method that is covered: they would never apply,
 * and nobody would notice.
 */
function checkMethods(route: RouteOptions, own: RouteIdempotency, { engine }: Coverage): void {
  const methods = [route.method].flat()
  // HEAD passes, because Fastify makes a HEAD route of every GET, with the same config.
  if (methods.includes('HEAD') || methods.some((method) => engine.covers(method))) return
  throw new OptionsError(
    `${methods.join(', ')} is not covered; add \`methods: [${methods.map((method) => `'${method}'`).join(', ')}]\`${own.methods ? '' : ', or write false'}.`,
  )
}

function nameOf({ method, url }: RouteOptions): string {
  return `${[method].flat().join(', ')} ${url}`
}

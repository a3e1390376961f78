import 'reflect-metadata'
import { RequestMethod } from '@nestjs/common'
import { OptionsError } from '@oncekey/core'
import { IdempotencyGuard } from '../claim/guard.ts'
import { lateGuard } from '../claim/late-guard.ts'
import { noteRejections } from '../claim/note-rejections.ts'
import type { Coverage, Coverages } from '../routes/coverage.ts'
import { documentRoute } from '../routes/document-route.ts'
import {
  type Class,
  decoratedOptions,
  GUARDS,
  type Handler,
  INTERCEPTORS,
  isRoute,
  METHOD,
  methodsOf,
} from '../routes/metadata.ts'

/** The part of Nest's modules that is read and set here. */
export interface Modules {
  values(): Iterable<{
    readonly metatype: unknown
    /** How far it is from the root module. */
    distance: number
    readonly controllers: ReadonlyMap<unknown, { readonly metatype: unknown }>
  }>
}

/**
 * Called once, before Nest registers its routes. Makes the guard of every decorated route run last,
 * wherever its decorator is, and our interceptor innermost. Validates the route's options, and
 * documents the route.
 *
 * A route may be covered without our guard: it belongs to a subclass of the class that was
 * decorated, or a decorator above made it later. Such a route gets `lateGuard`.
 */
export function prepareRoutes(modules: Modules, coverages: Coverages): void {
  for (const { controllers } of modules.values()) {
    for (const { metatype } of controllers.values()) {
      if (typeof metatype === 'function') prepare(metatype as Class, coverages)
    }
  }
}

function prepare(type: Class, coverages: Coverages): void {
  for (const [name, handler] of methodsOf(type)) {
    const own = decoratedOptions(handler)
    if (own !== undefined && !isRoute(handler)) throw notRoute(type, handler)
    if (!isRoute(handler)) continue
    const coverage = coverages.of(type, handler)
    const isCovered = coverage !== undefined && coversRoute(coverage, handler)
    runLast(handler, GUARDS, [IdempotencyGuard, lateGuard], isCovered)
    runLast(handler, INTERCEPTORS, [noteRejections, noteRejections], isCovered)
    if (coverage === undefined) continue
    if (own && !isCovered) throw notCovered(type, handler, coverage)
    if (isCovered) documentRoute(type, name, handler, coverage)
  }
}

/**
 * Moves ours behind all others. `ours` is what the decorator puts there, and what is put there if
 * it is missing on a route that is covered.
 */
function runLast(
  handler: Handler,
  name: string,
  [decorated, missing]: readonly [decorated: unknown, missing: unknown],
  isCovered: boolean,
): void {
  const all: unknown[] = Reflect.getMetadata(name, handler) ?? []
  const others = all.filter((other) => other !== decorated && other !== missing)
  const found = all.find((other) => other === decorated || other === missing)
  const ours = found ?? (isCovered ? missing : undefined)
  if (ours !== undefined) Reflect.defineMetadata(name, [...others, ours], handler)
}

function coversRoute({ engine }: Coverage, handler: Handler): boolean {
  const method = RequestMethod[Reflect.getMetadata(METHOD, handler) as number] ?? 'GET'
  return method === 'ALL' || engine.covers(method)
}

function notRoute(type: Class, handler: Handler): OptionsError {
  return new OptionsError(
    `@Idempotent of ${type.name}.${handler.name}: it is not an HTTP route. Use once() of @oncekey/core for messages and jobs.`,
  )
}

function notCovered(type: Class, handler: Handler, { engine }: Coverage): OptionsError {
  const method = RequestMethod[Reflect.getMetadata(METHOD, handler) as number]
  return new OptionsError(
    `@Idempotent of ${type.name}.${handler.name}: ${method} is not covered (${[...engine.options.methods].join(', ')} are); add \`methods: ['${method}']\`, or take the decorator off.`,
  )
}

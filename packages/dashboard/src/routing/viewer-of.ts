import { OptionsError } from '@oncekey/core'
import type { DashboardAct, Viewer } from './access.ts'

/**
 * What `authorize` has returned: somebody who may see, a response to send, or `undefined` for
 * nobody. Nothing else gets any further: throws {@link OptionsError} for an answer that is neither,
 * such as `false`, or `scopes` that is one text, in which every part of it would be a scope.
 */
export function viewerOf(answer: unknown): Viewer | Response | undefined {
  if (answer === null || answer === undefined) return undefined
  if (isResponse(answer)) return answer
  if (typeof answer !== 'object') {
    throw new OptionsError(
      `dashboard: authorize returned ${typeof answer === 'string' ? 'a text' : String(answer)}. Return { actor, may }, a Response, or null for whom it must not be shown.`,
    )
  }
  const { actor, may, scopes } = answer as Readonly<Record<keyof Viewer, unknown>>
  const viewer = { actor: actorIn(actor), may: mayIn(may) }
  return scopes === undefined ? viewer : { ...viewer, scopes: scopesIn(scopes) }
}

/**
 * Judged by its shape: what `Response.redirect()`, `Response.json()` or `fetch` makes is no
 * instance of the global `Response` once somebody has replaced that, as @hono/node-server 1 does.
 */
function isResponse(answer: unknown): answer is Response {
  const { status, headers } = answer as Partial<Response>
  return typeof status === 'number' && typeof headers?.get === 'function'
}

function actorIn(actor: unknown): string {
  if (typeof actor === 'string' && actor.trim() !== '' && actor.length <= 200) {
    // PostgreSQL cannot store this character in text.
    if (!actor.includes('\0')) return actor
  }
  throw new OptionsError(
    "dashboard: authorize must return who it is as `actor`, 1 to 200 characters without a NUL: it goes on record with each act. Write actor: 'maria@shop.example'.",
  )
}

function mayIn(may: unknown): Viewer['may'] {
  if (may === 'all' || may === 'read-only') return may
  if (Array.isArray(may) && may.every(isAct)) return [...may]
  throw new OptionsError(
    `dashboard: authorize must return \`may\` as 'all', 'read-only' or a list of acts, such as ['keys.release']. There are ${Object.keys(ACTS).join(', ')}.`,
  )
}

function scopesIn(scopes: unknown): readonly string[] {
  if (Array.isArray(scopes) && scopes.every((each) => typeof each === 'string')) return [...scopes]
  throw new OptionsError(
    "dashboard: authorize must return `scopes` as a list, such as ['customer-7'], or leave it out for whoever may see all.",
  )
}

function isAct(name: unknown): name is DashboardAct {
  return typeof name === 'string' && Object.hasOwn(ACTS, name)
}

const ACTS: Readonly<Record<DashboardAct, true>> = {
  'keys.release': true,
  'keys.answer': true,
  'keys.forget': true,
  'dead-letters.redrive': true,
  'dead-letters.discard': true,
  'dead-letters.edit-and-redrive': true,
  'redrives.cancel': true,
  'consumers.pause': true,
  'consumers.resume': true,
  'sagas.resume': true,
  'sagas.compensate': true,
  'sagas.settle': true,
  'endpoints.ping': true,
  'endpoints.rotate-secret': true,
  'endpoints.pause': true,
  'endpoints.enable': true,
  'deliveries.retry': true,
  'deliveries.replay': true,
}

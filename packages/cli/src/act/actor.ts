import { hostname, userInfo } from 'node:os'
import { usageError } from '../command/cli-error.ts'
import type { Given } from '../command/given.ts'

/** Who acts and why, for the audit entry. Throws a usage error if there is no note. */
export function actOf(given: Given): { readonly actor: string; readonly note: string } {
  const note = given.text('note')?.trim() ?? ''
  if (note === '') {
    throw usageError('--note is missing: say why, for whoever reads the audit later.')
  }
  if (note.length > 2_000) throw usageError('--note is longer than 2,000 characters: shorten it.')
  return { actor: actorOf(given), note }
}

/**
 * Who acts, 1 to 200 characters without white space around them: --actor, else ONCEKEY_ACTOR, else
 * the login and the host. Throws a usage error if that is too long, or nothing but white space.
 */
export function actorOf(given: Given): string {
  const named = given.text('actor')
  const actor = (named ?? (process.env.ONCEKEY_ACTOR || login())).trim()
  if (actor !== '' && actor.length <= 200) return actor
  throw usageError(
    `${named === undefined ? 'ONCEKEY_ACTOR' : '--actor'} must be 1 to 200 characters: write --actor 'maria@shop.example'.`,
  )
}

/** Never throws: a user id without a name in the system's files is given as a number. */
function login(): string {
  return `${userName()}@${hostname()}`.slice(0, 200)
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // In a container, the process may run under a user id that no file gives a name.
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}

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
  const actor = (given.text('actor') ?? ownActor()).trim()
  if (actor === '' || actor.length > 200) {
    throw usageError("--actor must be 1 to 200 characters: write --actor 'maria@shop.example'.")
  }
  return { actor, note }
}

/**
 * Who acts where nobody is named, at most 200 characters: ONCEKEY_ACTOR, or else the login and the
 * host. Never throws: a user id without a name in the system's files is given as a number.
 */
export function ownActor(): string {
  return process.env.ONCEKEY_ACTOR || login()
}

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

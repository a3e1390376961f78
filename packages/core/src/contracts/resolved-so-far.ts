import { messageOf } from '../errors/message-of.ts'
import type { Resolution } from './resolution.ts'

/**
 * Acts on letters one after the other. If one fails, what was done before it is not lost with it:
 * that letter and those behind it, which are not tried, are `failed`. If the first fails, there is
 * nothing to keep, and its error is thrown.
 */
export async function resolvedSoFar(
  ids: readonly string[],
  act: (id: string) => Promise<readonly Resolution[]>,
): Promise<Resolution[]> {
  const resolutions: Resolution[] = []
  for (const [at, id] of ids.entries()) {
    try {
      resolutions.push(...(await act(id)))
    } catch (error) {
      if (resolutions.length === 0) throw error
      return [...resolutions, ...failedLetters(ids.slice(at), error)]
    }
  }
  return resolutions
}

/** Says of each letter that it is not known what became of it, and why not. */
export function failedLetters(ids: readonly string[], error: unknown): Resolution[] {
  return ids.map((id) => ({ id, outcome: 'failed', message: messageOf(error) }))
}

/**
 * What became of the letters that an act left out, where `done` are those that it did not. If that
 * cannot be read, the act is not lost with it.
 */
export async function resolvedAfter(
  done: { readonly length: number },
  others: readonly string[],
  read: (ids: readonly string[]) => Promise<Resolution[]>,
): Promise<Resolution[]> {
  try {
    return await read(others)
  } catch (error) {
    if (done.length === 0) throw error
    return failedLetters(others, error)
  }
}

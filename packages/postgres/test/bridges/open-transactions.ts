import type { Bridge } from './driven/bridge.ts'

/** Takes every connection of the pool, to show that none is lost. */
export async function whole(bridge: Bridge): Promise<void> {
  await (await bridge.exhaust())()
}

export async function errorOf(act: () => unknown): Promise<unknown> {
  try {
    await act()
    return undefined
  } catch (error) {
    return error
  }
}

/** The code of an error, unwrapped: libraries wrap their driver's errors. */
export function codeOf(error: unknown): unknown {
  const { code, parent, cause = parent } = Object(error)
  return /^transaction-/.test(code) || cause === undefined ? code : codeOf(cause)
}

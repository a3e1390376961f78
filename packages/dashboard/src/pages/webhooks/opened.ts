import { OncekeyError } from '@oncekey/core'

/**
 * What has to be unsealed to be shown; null where it does not open, because this process lacks the
 * key. The rest of the page is shown all the same: there a secret that is lost is rotated.
 */
export async function opened<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof OncekeyError && SEALED.has(error.code)) return null
    throw error
  }
}

const SEALED: ReadonlySet<string> = new Set(['seal-key-missing', 'seal-broken'])

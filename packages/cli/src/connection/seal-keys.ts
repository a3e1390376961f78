import { readFile } from 'node:fs/promises'
import type { SealKeys } from '@oncekey/core'
import { usageError } from '../command/cli-error.ts'
import type { Option } from '../command/option.ts'

export const SEAL_KEY_FILE: Readonly<Record<string, Option>> = {
  'seal-key-file': {
    value: 'path',
    help: 'The keys of your `seal`, as JSON: {"current":"k1","keys":{"k1":"<32 bytes in base64>"}}.',
  },
}

export async function sealKeysIn(path: string): Promise<SealKeys> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw usageError(`--seal-key-file: "${path}" could not be read (${error.code}).`)
  })
  try {
    const { current, keys } = JSON.parse(text) as {
      current: string | null
      keys: Record<string, string>
    }
    const bytes = Object.entries(keys).map(([id, key]) => [id, Buffer.from(key, 'base64')] as const)
    return { current, keys: Object.fromEntries(bytes) }
  } catch {
    throw usageError(
      `--seal-key-file: "${path}" must be JSON such as {"current":"2026","keys":{"2026":"<32 bytes in base64>"}}.`,
    )
  }
}

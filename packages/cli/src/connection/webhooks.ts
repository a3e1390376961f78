import { readFile } from 'node:fs/promises'
import type { Webhooks } from '@oncekey/webhooks'
import type { PoolClient } from 'pg'
import { usageError } from '../command/cli-error.ts'
import type { Call } from '../command/command.ts'

/** Webhooks of the schema, with what the command line says of sealing and sending. */
export async function webhooksOf(call: Call): Promise<Webhooks<PoolClient>> {
  const { webhooks } = await import('@oncekey/webhooks')
  const { given } = call
  const addresses = given.has('allow-address') ? given.list('allow-address') : []
  const proxy = given.has('proxy') ? given.text('proxy') : undefined
  const path = given.has('seal-key-file') ? given.text('seal-key-file') : undefined
  return webhooks({
    client: call.postgres(),
    schema: call.schema,
    allowHttp: given.has('allow-http') && given.flag('allow-http'),
    allowAddresses: addresses,
    ...(proxy !== undefined && { proxy }),
    ...(path !== undefined && { seal: await sealKeys(path) }),
  })
}

async function sealKeys(path: string) {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw usageError(`--seal-key-file: "${path}" could not be read (${error.code}).`)
  })
  try {
    const { current, keys } = JSON.parse(text) as { current: string; keys: Record<string, string> }
    const bytes = Object.entries(keys).map(([id, key]) => [id, Buffer.from(key, 'base64')] as const)
    return { current, keys: Object.fromEntries(bytes) }
  } catch {
    throw usageError(
      `--seal-key-file: "${path}" must be JSON such as {"current":"2026","keys":{"2026":"<32 bytes in base64>"}}.`,
    )
  }
}

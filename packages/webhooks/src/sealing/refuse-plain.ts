import { OncekeyError } from '@oncekey/core'
import type { ResolvedOptions } from '../options/options.ts'
import { runStatement } from '../statements/run-statement.ts'
import { listSecrets, type SecretJson } from '../statements/secrets.ts'

/**
 * Throws `seal-key-missing` if the endpoint's secrets are sealed and this process has no `seal`: a
 * dashboard without keys would store the next secret in plain text, and nobody would notice.
 */
export async function refusePlain(options: ResolvedOptions, endpointId: string): Promise<void> {
  if (options.seal !== undefined) return
  const [newest] = await runStatement(options, listSecrets(options.schema, endpointId))
  if (newest === undefined) return
  const { seal }: SecretJson = JSON.parse(newest.secret)
  if (seal === null) return
  throw new OncekeyError(
    'seal-key-missing',
    `The secrets of the endpoint ${endpointId} are sealed with the key "${seal}", and a new one would be stored in plain text here. Give webhooks() the \`seal\` of your app.`,
  )
}

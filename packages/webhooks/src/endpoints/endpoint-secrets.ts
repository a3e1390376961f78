import { type ActedBy, actedBy, OptionsError, wholeMs } from '@oncekey/core'
import type { ResolvedOptions } from '../options/options.ts'
import { refusePlain } from '../sealing/refuse-plain.ts'
import { openSecret, sealSecret } from '../sealing/sealed-secret.ts'
import { generateKeyPair, generateSecret } from '../signing/generate-secret.ts'
import { parseSecret, publicKeyOf, type SigningSecret } from '../signing/signing-secret.ts'
import { isUuid } from '../statements/ids.ts'
import { firstRow, runStatement } from '../statements/run-statement.ts'
import { listSecrets, rotateSecret, type SecretJson } from '../statements/secrets.ts'

export interface EndpointSecret {
  /**
   * What the receiver needs for verifying: the HMAC secret, or the public half of an ed25519 key.
   */
  readonly secret: SigningSecret
  readonly createdAt: Date
  /** When this secret stops signing; null for the newest one. */
  readonly expiresAt: Date | null
}

export interface EndpointSecrets {
  /** Lists the secrets in force, the newest first. Every delivery is signed with each of them. */
  secrets(id: string): Promise<EndpointSecret[]>
  /**
   * Adds a new secret, and resolves with what the receiver verifies with: the secret, or its public
   * key with `v1a`. The one before keeps signing beside it until the overlap is over, by the
   * database's clock, so that the receiver can switch at any time. Use `overlapMs: 0` if the old
   * one leaked, or does not open: nothing is sent while one of them does not. Throws
   * `seal-key-missing` if the secret before is sealed and `seal` is not set.
   */
  rotateSecret(
    id: string,
    options?: {
      /** How long the old secret also signs. Milliseconds. @default 86_400_000, a day */
      readonly overlapMs?: number
      /** @default the same as that of the secret before; `v1` if that does not open any more */
      readonly signature?: 'v1' | 'v1a'
      /** A secret of your own instead of a new one. */
      readonly secret?: SigningSecret
    },
    by?: ActedBy,
  ): Promise<{ readonly secret: SigningSecret } | undefined>
}

export function endpointSecrets(options: ResolvedOptions): EndpointSecrets {
  const { schema } = options

  return {
    async secrets(id) {
      return (await inForce(id)).map(({ kept, createdAt, expiresAt }) => ({
        secret: shownOf(kept),
        createdAt: new Date(createdAt),
        expiresAt: expiresAt === null ? null : new Date(expiresAt),
      }))
    },

    async rotateSecret(id, { overlapMs = 86_400_000, signature, secret } = {}, by) {
      wholeMs('overlapMs', overlapMs, 0)
      if (!isUuid(id)) return undefined
      await refusePlain(options, id)
      const { kept, shown } = newSecret(signature ?? (await presentVersion(id)), secret)
      const row = await firstRow(
        options,
        rotateSecret(
          schema,
          id,
          sealSecret(kept, id, options.seal),
          { overlapMs, most: MOST },
          actedBy('endpoints.rotateSecret', by),
        ),
      )
      return row && { secret: shown }
    },
  }

  /** A secret that does not open must not keep one that does from taking its place. */
  async function presentVersion(id: string): Promise<'v1' | 'v1a'> {
    const [newest] = await runStatement(options, listSecrets(schema, id))
    if (newest === undefined) return 'v1'
    try {
      return parseSecret(openSecret(JSON.parse(newest.secret), id, options.seal)).version
    } catch {
      return 'v1'
    }
  }

  async function inForce(id: string): Promise<(SecretJson & { readonly kept: SigningSecret })[]> {
    if (!isUuid(id)) return []
    const rows = await runStatement(options, listSecrets(schema, id))
    return rows.map(({ secret }) => {
      const json: SecretJson = JSON.parse(secret)
      return { ...json, kept: openSecret(json, id, options.seal) }
    })
  }
}

/**
 * A new secret: the part that signs (`kept`), and the part that the receiver may know (`shown`).
 */
export function newSecret(
  version: 'v1' | 'v1a',
  given?: SigningSecret,
): { readonly kept: SigningSecret; readonly shown: SigningSecret } {
  const kept = given ?? (version === 'v1a' ? generateKeyPair().secret : generateSecret())
  if (parseSecret(kept).signature === undefined) {
    throw new OptionsError(
      'secret: a public key (`whpk_`) cannot sign: give its private half (`whsk_`).',
    )
  }
  return { kept, shown: shownOf(kept) }
}

function shownOf(kept: SigningSecret): SigningSecret {
  return publicKeyOf(kept) ?? kept
}

/** How many older secrets may sign besides the newest. */
const MOST = 9

import { OptionsError } from '@oncekey/core'
import { generateKeyPair, generateSecret } from './generate-secret.ts'
import { type ResolvedOptions, wholeMs } from './options.ts'
import { firstRow, runStatement } from './run-statement.ts'
import { openSecret, sealSecret } from './sealed-secret.ts'
import { parseSecret, publicKeyOf, type SigningSecret } from './signing-secret.ts'
import { isUuid } from './statements/dead-letter-predicate.ts'
import { listSecrets, type SecretJson } from './statements/list-secrets.ts'
import { rotateSecret } from './statements/rotate-secret.ts'

export interface EndpointSecret {
  /** What the receiver verifies with: the HMAC secret, or the public half of an ed25519 key. */
  readonly secret: SigningSecret
  readonly createdAt: Date
  /** When it stops signing; null for the newest. */
  readonly expiresAt: Date | null
}

export interface EndpointSecrets {
  /** Those in force, the newest first: every delivery is signed with each. */
  secrets(id: string): Promise<EndpointSecret[]>
  /**
   * A new secret. The one before goes on signing beside it until the overlap is over, by the
   * database's clock, so that the receiver can change when it likes. `overlapMs: 0` where it leaked.
   */
  rotateSecret(
    id: string,
    options?: {
      /** Milliseconds. @default 86_400_000, a day */
      readonly overlapMs?: number
      /** @default as the one before */
      readonly signature?: 'v1' | 'v1a'
      /** Yours, instead of a new one. */
      readonly secret?: SigningSecret
    },
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

    async rotateSecret(id, { overlapMs = 86_400_000, signature, secret } = {}) {
      wholeMs('overlapMs', overlapMs, 0)
      if (!isUuid(id)) return undefined
      const [newest] = await inForce(id)
      const version = signature ?? (newest === undefined ? 'v1' : parseSecret(newest.kept).version)
      const { kept, shown } = newSecret(version, secret)
      const row = await firstRow(
        options,
        rotateSecret(schema, id, sealSecret(kept, id, options.seal), { overlapMs, most: MOST }),
      )
      return row && { secret: shown }
    },
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

/** A secret to sign with, and what of it the receiver may know. */
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

/** Beside the newest. */
const MOST = 9

import { expect } from 'vitest'
import { oncekey } from './oncekey.ts'

export interface Found {
  readonly check: string
  readonly level: string
  readonly what: string
  readonly why: string
  readonly todo: string
  readonly statements?: readonly string[]
}

/**
 * Runs `doctor` and returns its findings. Each says what is wrong, why that matters and what to do.
 */
export async function findings(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await oncekey(['doctor', '--json', ...args], { env })
  if (stdout === '') throw new Error(`${code}: ${stderr}`)
  const { findings: found, checks } = JSON.parse(stdout) as {
    findings: Found[]
    checks: { check: string; state: string }[]
  }
  expect(code).toBe(found.length === 0 ? 0 : 1)
  for (const { what, why, todo } of found) {
    for (const text of [what, why, todo]) expect(text).toMatch(/^[A-Z0-9a-z_].+\.$/s)
  }
  return { found, checks }
}

export const MIGRATED = 'migrated'
export const ALL = ['--with', 'webhooks', '--with', 'saga']

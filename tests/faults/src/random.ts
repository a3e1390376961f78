import { hash } from 'node:crypto'
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** Random values that depend only on a seed. */
export interface Random {
  /** An integer, both ends included. */
  between(least: number, most: number): number
  /** True with a probability of `share` percent. */
  percent(share: number): boolean
  oneOf<T>(choices: readonly T[]): T
}

/**
 * Returns the same source for the same parts, whatever else was drawn before: order 7 is the same
 * in every run of its seed.
 */
export function randomOf(...parts: readonly (string | number)[]): Random {
  const generator = xoroshiro128plus(hash('sha256', parts.join('/'), 'buffer').readInt32LE(0))
  const between = (least: number, most: number): number => uniformInt(generator, least, most)
  return {
    between,
    percent: (share) => between(1, 100) <= share,
    oneOf: (choices) => choices[between(0, choices.length - 1)] as (typeof choices)[number],
  }
}

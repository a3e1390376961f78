import { describe, expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { OncekeyError, OptionsError } from '../../src/errors/errors.ts'
import { post, response } from '../support/post.ts'
import { attemptThat, storeThat } from '../support/stores.ts'

/** An error as another copy of this package creates it. */
class OtherCopy extends Error {
  override readonly name = 'OncekeyError'
  readonly code: string
  constructor(code: string) {
    super('of another copy')
    this.code = code
  }
}

describe('an error of another copy of the package', () => {
  test('is recognised by its name and code', () => {
    expect(new OtherCopy('store-busy')).toBeInstanceOf(OncekeyError)
    expect(new OtherCopy('store-busy')).not.toBeInstanceOf(OptionsError)
    expect(
      Object.assign(new TypeError('x'), { name: 'OptionsError', code: 'options-invalid' }),
    ).toBeInstanceOf(OptionsError)
    for (const none of [new Error('x'), { name: 'OncekeyError', code: 'x' }, null, 'x']) {
      expect(none instanceof OncekeyError).toBe(false)
    }
  })

  test('keeps its meaning: an aborted transaction is not a failed commit', async () => {
    const attempt = attemptThat([], {
      complete: () => Promise.reject(new OtherCopy('transaction-aborted')),
    })
    const store = storeThat({ begin: [() => ({ kind: 'run', attempt })] })
    const begun = await createEngine({ store }).begin(post('k-1'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    expect(await begun.run.complete(response())).toMatchObject({ code: 'transaction-aborted' })
  })

  test('is not an instance of a class that extends this one', () => {
    class Own extends OncekeyError {}
    expect(new Own('store-busy', 'x')).toBeInstanceOf(OncekeyError)
    expect(new OncekeyError('store-busy', 'x')).not.toBeInstanceOf(Own)
    expect(new Own('store-busy', 'x')).toBeInstanceOf(Own)
  })
})

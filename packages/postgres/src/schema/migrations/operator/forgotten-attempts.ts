import { eraseScope2 } from '../../functions/operator/erase-scope-2.ts'
import { forgetKey3 } from '../../functions/operator/forget-key-3.ts'

/** A key that was forgotten is not stored again by the attempt that had completed it. */
export function forgottenAttempts(schema: string): string[] {
  return [forgetKey3(schema), eraseScope2(schema)]
}

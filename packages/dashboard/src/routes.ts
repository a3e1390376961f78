import { auditPage } from './pages/audit.ts'
import { consumersPage } from './pages/consumers.ts'
import { deadLetterPage } from './pages/dead-letter.ts'
import { deadLettersPage } from './pages/dead-letters.ts'
import { answerKey, forgetKey, keyPage, releaseKey } from './pages/key.ts'
import { keysPage } from './pages/keys.ts'
import { overview } from './pages/overview.ts'
import type { Route } from './routing/route.ts'

/** Everything that there is. Access is decided from this table and nowhere else. */
export const routes: readonly Route[] = [
  overview,
  keysPage,
  keyPage,
  deadLettersPage,
  deadLetterPage,
  consumersPage,
  auditPage,
  releaseKey,
  answerKey,
  forgetKey,
]

import { auditPage } from './pages/audit.ts'
import { pauseConsumer, resumeConsumer } from './pages/consumers/acts.ts'
import { consumersPage } from './pages/consumers/consumers.ts'
import { discardLetter, editLetter, redriveLetters } from './pages/dead-letters/acts.ts'
import { deadLetterPage } from './pages/dead-letters/letter.ts'
import { deadLettersPage } from './pages/dead-letters/letters.ts'
import { previewPage } from './pages/dead-letters/preview.ts'
import { eventPage } from './pages/events/event.ts'
import { eventsPage } from './pages/events/events.ts'
import { answerKey, forgetKey, releaseKey } from './pages/keys/acts.ts'
import { keyPage } from './pages/keys/key.ts'
import { keysPage } from './pages/keys/keys.ts'
import { overview } from './pages/overview.ts'
import { cancelRedrive, replayWindow, startRedrive } from './pages/redrives/acts.ts'
import { redrivePage } from './pages/redrives/redrive.ts'
import { redrivesPage } from './pages/redrives/redrives.ts'
import { compensateSaga, resumeSaga, settleSaga } from './pages/sagas/acts.ts'
import { sagaRunPage } from './pages/sagas/run.ts'
import { sagasPage } from './pages/sagas/runs.ts'
import {
  enableEndpoint,
  pauseEndpoint,
  pingEndpoint,
  retryDelivery,
  rotateSecret,
} from './pages/webhooks/acts.ts'
import { deliveryPage } from './pages/webhooks/delivery.ts'
import { endpointPage } from './pages/webhooks/endpoint.ts'
import { webhooksPage } from './pages/webhooks/endpoints.ts'
import type { Route } from './routing/route.ts'

/** All routes. Access is decided by this table and nowhere else. */
export const routes: readonly Route[] = [
  overview,
  keysPage,
  keyPage,
  eventsPage,
  eventPage,
  deadLettersPage,
  deadLetterPage,
  previewPage,
  redrivesPage,
  redrivePage,
  consumersPage,
  webhooksPage,
  endpointPage,
  deliveryPage,
  sagasPage,
  sagaRunPage,
  auditPage,
  releaseKey,
  answerKey,
  forgetKey,
  redriveLetters,
  discardLetter,
  editLetter,
  startRedrive,
  cancelRedrive,
  pauseConsumer,
  resumeConsumer,
  replayWindow,
  pingEndpoint,
  rotateSecret,
  pauseEndpoint,
  enableEndpoint,
  retryDelivery,
  resumeSaga,
  compensateSaga,
  settleSaga,
]

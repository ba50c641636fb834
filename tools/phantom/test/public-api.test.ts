import * as phantom from '../src/index.ts';
import { expect, it } from 'vitest';

it('exports these names and no others', () => {
  expect(Object.keys(phantom).sort()).toMatchInlineSnapshot(`
    [
      "DEFAULT_NEGATIVES_PER_NODULE",
      "DEFAULT_SYNTHETIC_SHAPE",
      "PHANTOM_VERSION",
      "PhantomBackgroundError",
      "PhantomCapacityError",
      "PhantomError",
      "PhantomSettingsError",
      "PhantomTargetError",
      "generatePhantom",
    ]
  `);
});

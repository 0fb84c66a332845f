import { jestProject } from '../../jest.preset.mjs';

export default jestProject('e2e', { globalSetup: '<rootDir>/jest-images.mjs' });

import { openTestDocuments, type TestDocuments } from '@rockpool/cloud-embedded/testing';
